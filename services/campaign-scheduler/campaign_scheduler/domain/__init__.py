"""Decisions of campaigns: plain Python, no I/O, no clock, no await."""
