"""Decisions: which operator, what an answer means, how fast. No I/O, no clock, no await."""
