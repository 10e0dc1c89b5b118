"""What may be paid by card: least and most by currency, and a currency's smallest unit at payment providers."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from accounts.domain.errors import InvalidError
from carillon.runtime.money import MICROS, format_amount, parse_amount

# ISO 4217 currencies whose smallest unit is not the hundredth; https://docs.stripe.com/currencies
_WITHOUT_DECIMALS: Final = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"]
)  # fmt: skip
_WITH_THREE: Final = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])


class Range(Struct, frozen=True):
    """Least and most of one top-up, micro-units."""

    least_micros: int
    most_micros: int


Limits = Mapping[str, Range]


def unit_micros(currency: str) -> int:
    """Micro-units of the smallest unit that providers count in: 10,000 for a cent."""
    if currency in _WITHOUT_DECIMALS:
        return MICROS
    return MICROS // 1_000 if currency in _WITH_THREE else MICROS // 100


def parse_limits(listed: str) -> dict[str, Range]:
    """`EUR=5:2000,JPY=500:300000` by currency; `ValueError` for what is not of this form."""
    limits: dict[str, Range] = {}
    for pair in filter(None, (pair.strip() for pair in listed.split(","))):
        currency, _, amounts = pair.partition("=")
        least, _, most = amounts.partition(":")
        found = Range(parse_amount(least), parse_amount(most))
        if len(currency) != 3 or not currency.isupper() or not 0 < found.least_micros <= found.most_micros:
            raise ValueError(f"{pair}: a currency, its least and its most are wanted: EUR=5:2000")
        limits[currency] = found
    return limits


def check_amount(limits: Limits, currency: str, micros: int) -> None:
    """`InvalidError` for an amount that is not paid by card."""
    if currency not in limits:
        raise InvalidError("currency_unsupported", f"{currency} is not paid by card here")
    least, most = limits[currency].least_micros, limits[currency].most_micros
    if not least <= micros <= most:
        detail = f"from {format_amount(least)} to {format_amount(most)} {currency}"
        raise InvalidError("amount_out_of_range", detail, "amount_micros")
    if micros % unit_micros(currency):
        unit = format_amount(unit_micros(currency), decimals=0)
        raise InvalidError("amount_indivisible", f"a multiple of {unit} {currency}", "amount_micros")
