"""Decisions: plain Python, no I/O, no clock, no await."""
