"""The rules of an account: plain values and functions from one account to the next."""
