"""Message ids: positive, 63 bits, rising, unique, and readable as a time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carillon.runtime.ids import EPOCH_MS, MessageIds, first_id_at, new_id, time_ms_of
from carillon.testing.clock import START_MS, ManualClock


def test_id_holds_its_time_and_its_node() -> None:
    made = MessageIds(513, ManualClock()).next()
    assert time_ms_of(made) == START_MS
    assert made >> 12 & 0x3FF == 513
    assert 0 < made < 1 << 63


def test_a_burst_stays_unique_and_rising() -> None:
    ids = MessageIds(7, ManualClock()).block(10_000)
    assert ids == sorted(set(ids))


@given(st.lists(st.floats(-5, 5), max_size=50))
def test_a_clock_that_steps_back_repeats_nothing(steps: list[float]) -> None:
    clock = ManualClock()
    made = MessageIds(1, clock)
    ids = [made.next()]
    for step in steps:
        clock.step(step)
        ids += made.block(3)
    assert ids == sorted(set(ids))


@given(st.lists(st.integers(1, 4_096), min_size=1, max_size=20))
def test_a_run_has_no_gap_and_meets_nothing(counts: list[int]) -> None:
    made = MessageIds(1023, ManualClock())
    ids: list[int] = []
    for count in counts:
        ids.append(made.next())
        first = made.run(count)
        ids += range(first, first + count)
    assert ids == sorted(set(ids))
    assert {each >> 12 & 0x3FF for each in ids} == {1023}


def test_nodes_never_meet() -> None:
    clock = ManualClock()
    one, other = MessageIds(0, clock), MessageIds(1023, clock)
    assert not set(one.block(5_000)) & set(other.block(5_000))


@pytest.mark.parametrize("node", [-1, 1024])
def test_node_has_ten_bits(node: int) -> None:
    with pytest.raises(ValueError, match="node"):
        MessageIds(node, ManualClock())


def test_a_time_range_is_an_id_range() -> None:
    made = MessageIds(3, ManualClock()).next()
    assert first_id_at(START_MS) <= made < first_id_at(START_MS + 1)
    assert first_id_at(EPOCH_MS - 1) == 0


def test_other_ids_are_prefixed_and_sort_by_time() -> None:
    ids = [new_id("acc") for _ in range(100)]
    assert len(set(ids)) == 100
    assert all(made.startswith("acc_") and len(made) == 30 for made in ids)
    assert [made[:13] for made in ids] == sorted(made[:13] for made in ids)
