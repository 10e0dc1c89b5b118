"""What an operator decides and remembers: fates, handsets, counters, receipts. No sockets, no clock."""
