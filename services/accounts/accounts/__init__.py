"""The accounts service: who may send, through which doors, with which keys, and where receipts go."""
