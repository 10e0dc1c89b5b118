"""The rate limit holds in every second, wherever it begins; throttling pauses, longer each time."""

import bisect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain.pace import Pace


@pytest.mark.parametrize("tps", [1, 5, 30, 100, 1_000])
def test_no_second_sees_more(tps: int) -> None:
    pace = Pace(tps, 0.0)
    sent: list[float] = []
    for step in range(5_000):
        now_s = step * 0.001
        count = pace.allowance(now_s)
        pace.spend(count)
        sent += [now_s] * count
    assert all(bisect.bisect_left(sent, at + 1.0) - place <= tps for place, at in enumerate(sent))
    assert len(sent) >= 0.9 * tps * 5 - 1


@given(st.lists(st.tuples(st.floats(0, 0.5), st.integers(0, 60)), max_size=200))
def test_no_second_sees_more_whatever_the_demand(demand: list[tuple[float, int]]) -> None:
    pace = Pace(50, 0.0)
    now_s = 0.0
    sent: list[float] = []
    for wait_s, wanted in demand:
        now_s += wait_s
        count = min(wanted, pace.allowance(now_s))
        pace.spend(count)
        sent += [now_s] * count
    assert all(bisect.bisect_left(sent, at + 0.999) - place <= 50 for place, at in enumerate(sent))


def test_no_limit() -> None:
    assert Pace(0, 0.0).allowance(0.0) > 100_000
    assert Pace(0, 0.0).wait_s(0.0) is None


def test_throttling_pauses_twice_as_long_each_time() -> None:
    pace = Pace(0, 0.0)
    now_s = 0.0
    pauses = []
    for _ in range(8):
        pace.throttled(now_s)
        wait_s = pace.wait_s(now_s)
        assert wait_s is not None
        assert pace.allowance(now_s) == 0
        pauses.append(round(wait_s, 3))
        now_s += wait_s
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    pace.accepted()
    pace.throttled(now_s)
    assert pace.wait_s(now_s) == pytest.approx(0.1)


def test_answers_from_before_the_pause_do_not_prolong_it() -> None:
    pace = Pace(0, 0.0)
    for _ in range(50):
        pace.throttled(0.0)
    assert pace.wait_s(0.0) == pytest.approx(0.1)
