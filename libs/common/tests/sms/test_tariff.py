"""The one function that price, quote and bill ask."""

from hypothesis import given
from hypothesis import strategies as st

from carillon.sms.tariff import Rate, Tariff

RATES = [
    Rate("33", 45_000),
    Rate("336", 40_000),
    Rate("336", 38_000, valid_from=1_000, valid_until=2_000),
    Rate("3370", 60_000, valid_from=5_000),
]


def test_the_longest_prefix_in_force_wins() -> None:
    tariff = Tariff(RATES)
    assert tariff.price("33712345678", 1, 0) == 45_000
    assert tariff.price("33612345678", 2, 0) == 80_000
    assert [tariff.price_of_part("33612345678", at) for at in (999, 1_000, 1_999, 2_000)] == [
        40_000, 38_000, 38_000, 40_000,
    ]  # fmt: skip
    assert tariff.price_of_part("33701234567", 4_999) == 45_000
    assert tariff.price_of_part("33701234567", 5_000) == 60_000


def test_what_has_no_price_has_none_and_the_empty_prefix_is_everything_else() -> None:
    assert Tariff(RATES).price("4915112345678", 1, 0) is None
    assert Tariff([*RATES, Rate("", 90_000)]).price("4915112345678", 1, 0) == 90_000
    assert Tariff([]).price("33612345678", 1, 0) is None


def test_the_discount_is_taken_off_each_part() -> None:
    assert Tariff([Rate("33", 33_333)], discount_permille=100).price("33612345678", 3, 0) == 90_000


_rate = st.builds(
    Rate,
    st.text("0123", max_size=4),
    st.integers(0, 10**6),
    st.none() | st.integers(0, 50),
    st.none() | st.integers(0, 50),
)


@given(st.lists(_rate, max_size=20), st.text("0123", min_size=4, max_size=6), st.integers(0, 60))
def test_it_is_what_a_search_through_all_rates_finds(rates: list[Rate], number: str, at_ms: int) -> None:
    fitting = [rate for rate in rates if number.startswith(rate.prefix) and rate.holds(at_ms)]
    best = max(fitting, key=lambda rate: (len(rate.prefix), rate.valid_from or 0), default=None)
    found = Tariff(rates).price_of_part(number, at_ms)
    if best is None:
        assert found is None
    else:  # of several that began at once, any
        same = (best.prefix, best.valid_from or 0)
        assert found in {rate.micros for rate in fitting if (rate.prefix, rate.valid_from or 0) == same}
