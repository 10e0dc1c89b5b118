"""What an account pays for its messages at one moment: the same for a preview, a quote and what is sent."""

from typing import Final

from msgspec import Struct

from carillon.sms.tariff import Tariff


class Pricing(Struct, frozen=True, kw_only=True):
    """`tariff` None: the account has no price list. A prepaid account sends nothing that has no price."""

    currency: str
    tariff: Tariff | None
    is_prepaid: bool
    at_ms: int

    def price(self, number: str, parts: int) -> int | None:
        """Micro-units of `currency` for a message to an international number; None: there is no price for it."""
        return None if self.tariff is None else self.tariff.price(number, parts, self.at_ms)


UNPRICED: Final = Pricing(currency="", tariff=None, is_prepaid=False, at_ms=0)
