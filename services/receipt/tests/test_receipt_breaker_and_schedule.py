"""When a client is left alone, and when a callback is tried again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receipt.domain.breaker import Breaker
from receipt.domain.schedule import MAX_ATTEMPTS, RETRY_AFTER_S, pause_s


def test_the_schedule_is_that_of_the_contract() -> None:
    minutes, hours = 60, 3_600
    assert list(RETRY_AFTER_S) == [
        5, 5 * minutes, 30 * minutes, 2 * hours, 5 * hours, 10 * hours, 14 * hours, 20 * hours, 24 * hours,
    ]  # fmt: skip
    assert [pause_s(attempt, 0.0) for attempt in range(1, 11)] == [*RETRY_AFTER_S, None]
    assert MAX_ATTEMPTS == 10


@given(st.integers(1, 9), st.floats(0, 1), st.none() | st.floats(0, 1e9))
def test_jitter_only_delays_and_retry_after_is_honoured_up_to_a_day(
    attempt: int, chance: float, asked_s: float | None
) -> None:
    pause = pause_s(attempt, chance, asked_s)
    assert pause is not None
    assert RETRY_AFTER_S[attempt - 1] <= pause <= max(RETRY_AFTER_S[attempt - 1] * 1.1, 86_400)
    assert asked_s is None or pause >= min(asked_s, 86_400)


def test_a_client_that_fails_as_a_whole_is_left_alone_then_tried_with_one_call() -> None:
    breaker = Breaker()
    for _ in range(5):
        assert breaker.admits(100.0)
        breaker.note(0, 0, None, 100.0)
    assert not breaker.admits(100.5)
    assert [breaker.admits(101.1), breaker.admits(101.1)] == [True, False]
    breaker.note(503, 5, None, 101.2)  # the trial failed
    assert not breaker.admits(102.0)
    assert breaker.admits(110.0)
    breaker.note(200, 5, None, 110.1)
    assert breaker.admits(110.1)
    assert not breaker.is_tripped


def test_one_refused_callback_says_nothing_about_the_client() -> None:
    breaker = Breaker()
    for _ in range(100):
        breaker.note(404, 5, None, 100.0)
    assert breaker.admits(100.0)


def test_retry_after_holds_direct_calls() -> None:
    breaker = Breaker()
    breaker.note(429, 5, 30.0, 100.0)
    assert not breaker.admits(129.0)
    assert breaker.admits(130.1)


def test_a_slow_answer_does_not_close_the_breaker() -> None:
    breaker = Breaker()
    breaker.trip(100.0)
    assert breaker.admits(101.1)
    breaker.note(200, 5_000, None, 106.0)
    assert breaker.is_tripped


@pytest.mark.parametrize("times", [1, 3])
def test_tripping_again_within_the_pause_does_not_lengthen_it(times: int) -> None:
    breaker = Breaker()
    for _ in range(times):
        breaker.trip(100.0)
    assert breaker.admits(101.1)
