"""What a message's state is and what follows from it: plain values and functions, no I/O, no clock."""
