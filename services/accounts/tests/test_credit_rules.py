"""How much is lent, and what becomes of a charge."""

from hypothesis import given
from hypothesis import strategies as st

from accounts.credit.rules import grant, settled

amounts = st.integers(0, 10**12)


@given(amounts, amounts, amounts)
def test_a_grant_is_enough_or_nothing_and_never_more_than_there_is(free: int, needed: int, wanted: int) -> None:
    granted = grant(free, needed, wanted)
    assert 0 <= granted <= max(free, 0)
    assert granted >= needed or granted == 0
    assert (granted == 0) <= (needed > free or needed == 0)


@given(st.integers(1, 5_000), st.integers(1, 100_000), st.integers(1, 400))
def test_a_balance_is_spent_to_the_last_message(messages: int, price: int, wanted_messages: int) -> None:
    """Whatever is lent at a time: nothing is left that could have paid for one more."""
    free, lent = messages * price, 0
    while granted := grant(free, price, wanted_messages * price):
        assert granted % price == 0
        free -= granted
        lent += granted // price
    assert (free, lent) == (0, messages)


def test_a_debt_is_not_lent() -> None:
    assert grant(-5, 1, 100) == 0


def test_charged_when_an_operator_took_it() -> None:
    assert settled("accepted", None) is None
    assert settled("submitted", "accepted") == "captured"
    assert settled("ambiguous", "accepted") is None
    assert settled("lost", "ambiguous") == "captured"
    assert settled("suppressed", "accepted") == "released"
    assert settled("cancelled", "scheduled") == "released"
    assert settled("refused", "accepted") == "released"
    assert settled("refused", "submitted") == "captured"
