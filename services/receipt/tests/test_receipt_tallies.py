"""Tallies count each message once, hours add up to the whole, and percentiles are as near as they promise."""

import math
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from receipt.domain.milestones import Final, Milestones, Refusal, Submission
from receipt.domain.status import status_of
from receipt.domain.tallies import MANY, Cell, Facts, Key, Tallies, Tally, add_hour, bin_of, bounded, count

_latencies = st.lists(st.integers(1, 400_000_000), min_size=1, max_size=200)


@settings(deadline=None)
@given(_latencies, st.floats(0.01, 1.0))
def test_a_percentile_is_within_what_is_promised(latencies: list[int], share: float) -> None:
    tally = Tally(latency=dict(Counter(bin_of(value) for value in latencies)))
    exact = sorted(latencies)[max(1, math.ceil(len(latencies) * share)) - 1]
    found = tally.latency_ms(share)
    assert found is not None
    assert abs(found - exact) <= exact * 0.0451 + 0.5


def test_nothing_delivered_has_no_percentile() -> None:
    assert Tally(messages=3).latency_ms(0.5) is None
    assert bin_of(0) == bin_of(-5) == bin_of(1) == 0


_facts = st.builds(
    Facts, st.sampled_from(["FR", "BE"]), st.sampled_from([None, "cmp_1"]), st.sampled_from(["A", "B"]),
    st.integers(1, 2), st.integers(0, 100), st.just(1_000),
)  # fmt: skip
_milestones = st.builds(
    Milestones,
    st.sampled_from([None, 1_000]),
    submitted=st.sampled_from([{}, {1: Submission(1_010, "north", "r")}]),
    finals=st.sampled_from(
        [{}, {1: Final(2, -5_000, "delivered", "", "north")}, {1: Final(1, -9, "expired", "", "s")}]
    ),
    refused=st.sampled_from([None, Refusal(1_020, "no_route", "", "")]),
)
_messages = st.lists(st.tuples(st.integers(0, 50), _facts, _milestones), max_size=60)


@settings(deadline=None)
@given(_messages, st.sampled_from([("status",), ("day", "country"), ("hour", "sender", "error"), ("operator",)]))
def test_hours_add_up(messages: list[tuple[int, Facts, Milestones]], by: tuple[str, ...]) -> None:
    hours: dict[int, Tallies] = {}
    for hour, facts, milestones in messages:
        count(hours.setdefault(hour, {}), facts, milestones)
    groups: dict[Key, Tally] = {}
    for hour, tallies in hours.items():
        add_hour(groups, by, hour, tallies)
    known = [(facts, status) for _, facts, m in messages if (status := status_of(m, facts.parts)) is not None]
    assert sum(tally.messages for tally in groups.values()) == len(known)
    assert sum(tally.parts for tally in groups.values()) == sum(facts.parts for facts, _ in known)
    assert sum(tally.price_micros for tally in groups.values()) == sum(facts.price_micros for facts, _ in known)
    assert sum(tally.delivered for tally in groups.values()) == sum(status == "delivered" for _, status in known)
    if by == ("status",):
        assert {status: tally.messages for (status,), tally in groups.items()} == Counter(s for _, s in known)


def test_adding_up_changes_no_hour() -> None:
    cell = Cell("delivered", "FR", "north", None, None, "A")
    hour: Tallies = {cell: Tally(1, 1, 1, {3: 1})}
    groups: dict[Key, Tally] = {}
    for place in range(3):
        add_hour(groups, ("status",), place, hour)
    assert groups["delivered",].messages == 3
    assert hour == {cell: Tally(1, 1, 1, {3: 1})}


def test_times_are_shown_in_utc() -> None:
    groups: dict[Key, Tally] = {}
    add_hour(groups, ("day", "hour"), 24 * 365, {Cell("accepted", "FR", None, None, None, "A"): Tally(1)})
    assert list(groups) == [("1971-01-01", "1971-01-01T00:00:00Z")]


def test_too_many_senders_are_no_longer_told_apart() -> None:
    tallies: Tallies = {Cell("accepted", "FR", None, f"cmp_{n % 3}", None, f"s{n}"): Tally(1, 2, 3) for n in range(30)}
    assert bounded(tallies, 30) == tallies
    fewer = bounded(tallies, 10)
    assert {cell.sender for cell in fewer} == {MANY}
    assert sorted(fewer) == sorted(Cell("accepted", "FR", None, f"cmp_{n}", None, MANY) for n in range(3))
    assert sum(tally.messages for tally in fewer.values()) == 30
    assert len(bounded(tallies, 2)) == 1
