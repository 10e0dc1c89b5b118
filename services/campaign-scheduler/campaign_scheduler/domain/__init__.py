"""Decisions of campaigns and templates: plain Python, no I/O, no clock."""
