"""Price lists as CSV: what is written is read back, and what is wrong is told by line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.prices.csv_form import PriceCsvError, read_rates, write_rates
from accounts.prices.example import example_rates
from accounts.prices.price_list import Rate

_moment = st.none() | st.integers(1_700_000_000, 1_900_000_000).map(lambda seconds: seconds * 1000)
_rate = st.builds(
    Rate,
    prefix=st.text("0123456789", max_size=12),
    micros=st.integers(0, 10**9),
    destination=st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), max_size=20),
    valid_from=_moment,
)


@given(st.lists(_rate, min_size=1, max_size=30, unique_by=lambda rate: (rate.prefix, rate.valid_from)))
def test_what_is_written_is_read_back(rates: list[Rate]) -> None:
    assert read_rates("".join(write_rates(rates))) == rates


def test_a_header_a_bom_and_blank_lines_are_no_rates() -> None:
    text = "\ufeffPrefix;Destination;Price\r\n\r\n33;France;0,045\r\n"
    text += ";;0.09;2026-01-01T00:00:00Z;2027-01-01T00:00:00+01:00\r\n"
    assert read_rates(text) == [
        Rate(prefix="33", destination="France", micros=45_000),
        Rate(prefix="", micros=90_000, valid_from=1_767_225_600_000, valid_until=1_798_758_000_000),
    ]


def test_every_wrong_line_is_told_and_nothing_is_taken() -> None:
    text = (
        "prefix;destination;price\n33;France;0.045\n+33;France;0.04\n34;Spain;-1\n35;x;0.1;yesterday\n"
        "36;x;0.1;2027-01-01T00:00:00Z;2026-01-01T00:00:00Z\n33;again;0.1\nalone\n"
    )
    with pytest.raises(PriceCsvError) as told:
        read_rates(text)
    assert [line for line, _ in told.value.errors] == [3, 4, 5, 6, 7, 8]
    with pytest.raises(PriceCsvError, match="no rate"):
        read_rates("prefix;destination;price\n")


def test_the_example_has_a_price_for_every_country_and_says_that_it_is_one() -> None:
    rates = example_rates()
    assert len(rates) >= 200
    assert len({rate.prefix for rate in rates}) == len(rates)
    countries = {country for rate in rates for country in rate.destination.split(", ")}
    assert {"FR", "US", "MA", "JP", "RE"} <= countries
    assert read_rates("".join(write_rates(rates))) == list(rates)
