"""Spending the credit of prepaid accounts without a round trip for each message."""

from carillon.credit.purse import CreditExhaustedError, CreditUnavailableError, Purse

__all__ = ["CreditExhaustedError", "CreditUnavailableError", "Purse"]
