"""Copies of another service's data, kept fresh by its events and kept on disk for a start without it."""

from carillon.copies.accounts import AccountCopy
from carillon.copies.prices import PriceCopy
from carillon.copies.suppressions import SuppressionCopy

__all__ = ["AccountCopy", "PriceCopy", "SuppressionCopy"]
