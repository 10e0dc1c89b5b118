"""Prepaid credit: a double-entry ledger, the leases that processes spend from, and what each message was charged."""
