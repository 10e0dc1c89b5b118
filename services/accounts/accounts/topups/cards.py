"""What the test provider's cards do; the numbers are those that developers know from other providers."""

from typing import Final, Literal

CardFate = Literal["paid", "declined", "confirm"]

SUCCESS: Final = "4242424242424242"
DECLINED: Final = "4000000000000002"
CONFIRM: Final = "4000002500003155"
_FATES: Final[dict[str, CardFate]] = {SUCCESS: "paid", DECLINED: "declined", CONFIRM: "confirm"}


def fate_of(number: str) -> CardFate:
    """What becomes of a card; `ValueError` says what is wrong with the number. Real cards are not taken."""
    digits = "".join(number.split()).replace("-", "")
    if not (digits.isascii() and digits.isdecimal() and 12 <= len(digits) <= 19 and _luhn(digits)):
        raise ValueError("This is no card number.")
    fate = _FATES.get(digits)
    if fate is None:
        raise ValueError("Only test cards are taken here: never type a real one.")
    return fate


def _luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
