"""Plain rules of contacts: no I/O, no clock, no await."""
