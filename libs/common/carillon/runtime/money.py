"""Money: integer micro-units of a currency (a millionth of a euro), never a float (ARCHITECTURE section 4)."""

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

MICROS: Final = 1_000_000
MOST_MICROS: Final = 10**15  # a thousand million euros: beyond it somebody's input is wrong
PERMILLE: Final = 1_000

_AMOUNT = re.compile(r"-?[0-9]{1,10}(?:[.,][0-9]{1,6})?", re.ASCII)


def parse_amount(text: str) -> int:
    """`0.045` or `0,045` as micro-units: 45,000. `ValueError` for anything else, seven decimals included."""
    stripped = text.strip()
    if not _AMOUNT.fullmatch(stripped):
        raise ValueError("an amount such as 0.045, with at most six decimals")
    micros = int(Decimal(stripped.replace(",", ".")) * MICROS)
    if abs(micros) > MOST_MICROS:
        raise ValueError("an amount of at most a thousand million")
    return micros


def format_amount(micros: int, *, decimals: int = 2) -> str:
    """Micro-units exactly, with at least `decimals` decimals: 45,000 is `0.045`, 1,500,000 is `1.50`."""
    whole, rest = divmod(abs(micros), MICROS)
    fraction = f"{rest:06d}".rstrip("0").ljust(decimals, "0")
    return f"{'-' if micros < 0 else ''}{whole}{'.' if fraction else ''}{fraction}"


def discounted(micros: int, discount_permille: int) -> int:
    """Less so many thousandths, to the nearest micro-unit, half a one upwards."""
    exact = Decimal(micros) * (PERMILLE - discount_permille) / PERMILLE
    return int(exact.to_integral_value(ROUND_HALF_UP))
