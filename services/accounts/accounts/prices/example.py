"""An example price list for every country of the numbering plan. These are NOT tariffs: replace it with your own.

The prices follow a rule that anybody can see: 0.0100 for a country, and 0.0010 more for each digit of its calling code
and each region that shares it. So no figure can be mistaken for an operator's.
"""

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

from accounts.prices.price_list import Rate

NAME = "Example prices (not real tariffs)"
_COUNTRY_MICROS = 10_000
_STEP_MICROS = 1_000
_NON_GEOGRAPHIC = "001"


def example_rates() -> tuple[Rate, ...]:
    """One rate for each calling code of a country, and none for what is no country."""
    return tuple(
        Rate(
            prefix=str(code),
            destination=", ".join(regions),
            micros=_COUNTRY_MICROS + _STEP_MICROS * (len(str(code)) + len(regions)),
        )
        for code, regions in sorted(COUNTRY_CODE_TO_REGION_CODE.items())
        if regions != (_NON_GEOGRAPHIC,)
    )
