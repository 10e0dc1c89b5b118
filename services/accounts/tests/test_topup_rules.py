"""What a payment books follows from what was said of it, not from when or how often; and the small rules of cards."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.domain.errors import InvalidError
from accounts.settings import Settings
from accounts.topups.cards import fate_of
from accounts.topups.money import check_amount, parse_limits, unit_micros
from accounts.topups.payment import Payment, PaymentEvent, bookings, merged
from accounts.topups.topup import TopUp

EVENTS = st.one_of(
    st.builds(PaymentEvent, kind=st.just("paid"), topup=st.just("top_1"), micros=st.just(100), currency=st.just("EUR")),
    st.builds(PaymentEvent, kind=st.just("refunded"), micros=st.integers(1, 100)),
    st.builds(PaymentEvent, kind=st.just("disputed"), micros=st.integers(1, 100), dispute=st.sampled_from("ab")),
    st.builds(PaymentEvent, kind=st.just("dispute_won"), dispute=st.sampled_from("ab")),
)


def book(events: list[PaymentEvent]) -> tuple[Payment, list[int]]:
    """The payment after the events, and the amounts of the entries that they made, as the store makes them."""
    payment, amounts = Payment(id="p"), []
    keys: set[str] = set()
    for event in events:
        payment = merged(payment, event)
        if payment.paid:
            payment, entries = bookings(payment, "acc_1", 1)
            amounts += [entry.lines[1].micros for entry in entries]
            assert keys.isdisjoint(entry.key for entry in entries)
            keys |= {entry.key for entry in entries}
    return payment, amounts


@given(st.lists(EVENTS, max_size=8), st.data())
def test_any_order_and_any_repetition_come_to_the_same(events: list[PaymentEvent], data: st.DataObject) -> None:
    repeated = events + data.draw(st.lists(st.sampled_from(events), max_size=5) if events else st.just([]))
    shuffled = data.draw(st.permutations(repeated))
    one, amounts = book(events)
    other, others = book(shuffled)
    assert sum(amounts) == sum(others) == (one.paid - one.taken if one.paid else 0)
    assert (one.paid, one.taken, one.is_disputed) == (other.paid, other.taken, other.is_disputed)
    if other.paid:
        assert others[0] == 100
        assert 0 <= sum(others) <= 100


def test_a_payment_credits_once_and_is_refunded_once() -> None:
    paid = PaymentEvent(kind="paid", topup="top_1", micros=100, currency="EUR")
    refunded = PaymentEvent(kind="refunded", micros=100)
    assert book([paid, paid, refunded, paid, refunded])[1] == [100, -100]
    assert book([refunded, paid, refunded])[1] == [100, -100]
    assert book([refunded, refunded])[1] == []


def test_a_dispute_takes_until_it_is_won_and_never_twice_with_a_refund() -> None:
    paid = PaymentEvent(kind="paid", topup="top_1", micros=100, currency="EUR")
    disputed = PaymentEvent(kind="disputed", micros=100, dispute="d")
    won = PaymentEvent(kind="dispute_won", dispute="d")
    assert book([paid, disputed, won])[1] == [100, -100, 100]
    assert book([paid, won, disputed])[1] == [100]
    assert book([paid, PaymentEvent(kind="refunded", micros=60), disputed])[1] == [100, -60, -40]


@pytest.mark.parametrize(
    ("paid", "taken", "disputed", "ended", "state"),
    [
        (0, 0, False, None, "open"), (0, 0, False, "expired", "expired"), (5, 0, False, "expired", "paid"),
        (5, 2, False, None, "paid"), (5, 5, False, None, "refunded"), (5, 5, True, None, "disputed"),
    ],
)  # fmt: skip
def test_states(paid: int, taken: int, disputed: bool, ended: str | None, state: str) -> None:
    topup = TopUp(
        id="t", account="a", amount=5, currency="EUR", provider="p", paid=paid, taken=taken, disputed=disputed,
        ended=ended, created_at=1, changed_at=1,  # type: ignore[arg-type]
    )  # fmt: skip
    assert topup.state == state


def test_smallest_units() -> None:
    assert [unit_micros(currency) for currency in ("EUR", "JPY", "KWD")] == [10_000, 1_000_000, 1_000]


@pytest.mark.parametrize(
    ("currency", "micros", "code"),
    [
        ("EUR", 5_000_000, None), ("EUR", 4_990_000, "amount_out_of_range"), ("EUR", 20_010_000, "amount_out_of_range"),
        ("EUR", 5_005_000, "amount_indivisible"), ("JPY", 500_500_000, "amount_indivisible"),
        ("USD", 5_000_000, "currency_unsupported"),
    ],
)  # fmt: skip
def test_limits(currency: str, micros: int, code: str | None) -> None:
    limits = parse_limits("EUR=5:20, JPY=500:1000")
    if code is None:
        check_amount(limits, currency, micros)
        return
    with pytest.raises(InvalidError) as refused:
        check_amount(limits, currency, micros)
    assert refused.value.code == code


@pytest.mark.parametrize("wrong", ["EUR", "EUR=5", "EUR=9:5", "eur=5:9", "EUR=0:9", "EUR=x:9"])
def test_limits_that_are_none_stop_the_start(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"EUR=5:2000|amount"):
        Settings(topup_limits=wrong)


def test_half_of_stripes_settings_stop_the_start() -> None:
    with pytest.raises(ValueError, match="go together"):
        Settings(stripe_key="sk_test_x")  # type: ignore[arg-type]


def test_cards() -> None:
    assert fate_of("4242 4242-4242 4242") == "paid"
    assert fate_of("4000000000000002") == "declined"
    assert fate_of("4000002500003155") == "confirm"
    for wrong in ("", "4242", "4242424242424241", "x" * 16, "\u0664" * 16):
        with pytest.raises(ValueError, match="no card number"):
            fate_of(wrong)
    with pytest.raises(ValueError, match="Only test cards"):
        fate_of("5555 5555 5555 4444")


@given(st.lists(st.integers(1, 100), min_size=2))
def test_partial_refunds_told_as_growing_sums_take_the_last_sum(parts: list[int]) -> None:
    paid = PaymentEvent(kind="paid", topup="top_1", micros=10**6, currency="EUR")
    sums = [sum(parts[: place + 1]) for place in range(len(parts))]
    _, amounts = book([paid, *(PaymentEvent(kind="refunded", micros=micros) for micros in sums)])
    assert amounts[1:] == [-(after - before) for before, after in pairwise([0, *sums])]
