"""Money is read and written exactly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carillon.runtime.money import MOST_MICROS, discounted, format_amount, parse_amount


@given(st.integers(-MOST_MICROS, MOST_MICROS), st.integers(0, 6))
def test_what_is_written_is_read_back(micros: int, decimals: int) -> None:
    assert parse_amount(format_amount(micros, decimals=decimals)) == micros


@pytest.mark.parametrize(
    ("text", "micros"),
    [("0.045", 45_000), ("0,045", 45_000), (" 12 ", 12_000_000), ("-0.000001", -1), ("1.50", 1_500_000)],
)
def test_amounts(text: str, micros: int) -> None:
    assert parse_amount(text) == micros


@pytest.mark.parametrize("text", ["", "1e3", "0.0000001", "1.000.000", "+1", "٣", "1 000", "99999999999", "nan"])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        parse_amount(text)


def test_shown() -> None:
    assert format_amount(1_500_000) == "1.50"
    assert format_amount(45_000) == "0.045"
    assert format_amount(-45_000, decimals=4) == "-0.0450"
    assert format_amount(2_000_000, decimals=0) == "2"


@given(st.integers(0, MOST_MICROS), st.integers(0, 1000))
def test_a_discount_is_off_by_half_a_micro_at_most(micros: int, permille: int) -> None:
    less = discounted(micros, permille)
    assert abs(less * 1000 - micros * (1000 - permille)) <= 500
    assert discounted(micros, 0) == micros
    assert discounted(micros, 1000) == 0
