"""The ring of messages, the counters and what is remembered, against plain models."""

from hypothesis import given
from hypothesis import strategies as st

from simulator.domain.counters import Limit, Peak
from simulator.domain.fates import DELIVERED
from simulator.domain.handsets import Handsets, Received
from simulator.domain.repeats import Repeats, Tries


def received(number: str, place: int) -> Received:
    return Received(place, number, 1, 1, "Carillon", 5, 0, "carillon", b"x", 0, False, place, place, DELIVERED)


@given(st.integers(1, 8), st.lists(st.sampled_from("abcd"), max_size=60))
def test_ring_is_the_tail_of_a_list(kept: int, numbers: list[str]) -> None:
    handsets = Handsets(kept)
    everything = [received(number, place) for place, number in enumerate(numbers)]
    for message in everything:
        handsets.add(message)
    tail = everything[-kept:][::-1]
    assert list(handsets.latest()) == tail
    for number in "abcd":
        assert handsets.of(number, 100) == [message for message in tail if message.number == number]
        assert handsets.counts.get(number, 0) == numbers.count(number)
    assert list(handsets.numbers()) == list(dict.fromkeys(message.number for message in tail))
    assert len(handsets) == len({message.number for message in tail})


def test_limit_of_a_look() -> None:
    handsets = Handsets(10)
    for place in range(5):
        handsets.add(received("a", place))
    assert [message.message_id for message in handsets.of("a", 2)] == [4, 3]
    assert handsets.of("b", 2) == []


@given(st.lists(st.floats(0, 0.7, allow_nan=False), max_size=80))
def test_peak_is_never_more_than_there_was(gaps: list[float]) -> None:
    peak, now_s, times = Peak(), 1_000.0, []
    for gap in gaps:
        now_s += gap
        times.append(now_s)
        peak.add(now_s)
    busiest = max((sum(1 for other in times if at <= other <= at + 1.0) for at in times), default=0)
    assert peak.value <= busiest


def test_peak_of_steady_traffic() -> None:
    peak = Peak()
    for place in range(5_000):
        peak.add(1_000 + place / 1_000)
    assert 990 <= peak.value <= 1_000


def test_limit_lets_its_rate_through() -> None:
    limit = Limit()
    allowed = sum(limit.allows(100, 1_000 + place / 1_000) for place in range(5_000))
    assert 495 <= allowed <= 515


def test_repeats_are_seen_while_remembered() -> None:
    repeats = Repeats(remembered=10)
    assert not any(repeats.seen(key) for key in range(15))
    assert all(repeats.seen(key) for key in range(5, 15))
    assert not repeats.seen(10_000)


def test_old_repeats_are_forgotten() -> None:
    repeats = Repeats(remembered=10)
    assert not any(repeats.seen(key) for key in range(100))
    assert not repeats.seen(0)


def test_tries_forget_the_oldest() -> None:
    tries = Tries(remembered=2)
    assert [tries.another(key) for key in (1, 1, 2, 3, 1)] == [1, 2, 1, 1, 1]
    tries.forget(1)
    tries.forget(99)
    assert tries.another(1) == 1
