"""A price list: a currency and its rates."""

from msgspec import Struct

from carillon.events.prices import PriceListChanged, PriceRate


class Rate(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`micros`: one part to a number that begins with `prefix` (digits; empty: everything else)."""

    prefix: str
    micros: int
    destination: str = ""
    valid_from: int | None = None
    valid_until: int | None = None


class PriceList(Struct, frozen=True, kw_only=True):
    """`version` grows by one with each change; the default list is for every account that has no other."""

    id: str
    version: int = 1
    name: str
    currency: str
    default: bool = False
    rates: tuple[Rate, ...] = ()
    created_at: int
    changed_at: int

    def as_event(self) -> PriceListChanged:
        """What the other services keep of it."""
        rates = [
            PriceRate(prefix=rate.prefix, micros=rate.micros, valid_from=rate.valid_from, valid_until=rate.valid_until)
            for rate in self.rates
        ]
        return PriceListChanged(
            id=self.id, version=self.version, name=self.name, currency=self.currency, default=self.default, rates=rates
        )
