"""A ledger entry: amounts that move between accounts of the book, and add up to zero.

The book's accounts of a customer: `available` (may be lent or spent), `leased` (lent to a process), `held` (charged to
messages that no operator has taken yet). The platform's: `cash` (paid in), `revenue` (earned), `adjustment`.
"""

from typing import Literal

from msgspec import Struct

Kind = Literal["topup", "refund", "adjustment", "lease", "lease_end", "charge", "capture", "release"]
CUSTOMER = ("available", "leased", "held")


class Line(Struct, frozen=True):
    """`book`: `available`, `leased`, `held` of the entry's account, or `cash`, `revenue`, `adjustment`."""

    book: str
    micros: int


class Entry(Struct, frozen=True, kw_only=True):
    """`key` is its identity: an entry is made once, whatever is repeated."""

    key: str
    account: str
    currency: str
    kind: Kind
    lines: tuple[Line, ...]
    at: int
    ref: str | None = None

    def __post_init__(self) -> None:
        if sum(line.micros for line in self.lines):
            raise ValueError(f"entry {self.key} does not add up to zero")


def move(source: str, target: str, micros: int) -> tuple[Line, ...]:
    """So much from one book to another."""
    return Line(source, -micros), Line(target, micros)
