"""What people have agreed to and taken back: an append-only log, chained by hashes."""
