"""Numbers that must not be written to, and why."""
