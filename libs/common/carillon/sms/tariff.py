"""What an SMS costs: the one function that price, quote and bill all ask.

A rate is for a prefix of international numbers (a country, or one operator's range within it) and holds during a
time. The longest prefix that has a rate in force wins; of two for the same prefix, the one that began last.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from carillon.runtime.money import discounted

MAX_PREFIX_DIGITS: Final = 12


class Rate(NamedTuple):
    """`micros`: price of one part. Times in Unix milliseconds, `valid_until` the first moment it no longer holds."""

    prefix: str
    micros: int
    valid_from: int | None = None
    valid_until: int | None = None

    def holds(self, at_ms: int) -> bool:
        """Whether it is in force then."""
        return (self.valid_from is None or self.valid_from <= at_ms) and (
            self.valid_until is None or at_ms < self.valid_until
        )


class Tariff:
    """A price list made ready for look-ups: one or two dictionary reads a message."""

    def __init__(self, rates: Iterable[Rate], *, discount_permille: int = 0) -> None:
        by_prefix: dict[str, list[Rate]] = {}
        for rate in rates:
            by_prefix.setdefault(rate.prefix, []).append(
                rate._replace(micros=discounted(rate.micros, discount_permille))
            )
        for same in by_prefix.values():
            same.sort(key=lambda rate: rate.valid_from or 0, reverse=True)
        self._rates = by_prefix
        self._sizes = sorted({len(prefix) for prefix in by_prefix}, reverse=True)

    def price_of_part(self, number: str, at_ms: int) -> int | None:
        """Micro-units for one part to an international number (digits); None: there is no price for it."""
        for size in self._sizes:
            for rate in self._rates.get(number[:size], ()):
                if rate.holds(at_ms):
                    return rate.micros
        return None

    def price(self, number: str, parts: int, at_ms: int) -> int | None:
        """Micro-units for the whole message; None: there is no price for it."""
        micros = self.price_of_part(number, at_ms)
        return None if micros is None else micros * parts
