"""The bus in memory keeps the contract."""

from collections.abc import Awaitable, Callable

import pytest

from carillon.bus import Bus
from carillon.testing.bus import MemoryBus
from carillon.testing.bus_contract import CLAUSES, QUEUE, a_bad_record_holds_up_nothing_else


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.__name__)
async def test_contract(clause: Callable[[Bus], Awaitable[None]]) -> None:
    bus = MemoryBus()
    await bus.start()
    await clause(bus)
    await bus.stop()


async def test_bad_record_is_parked_with_its_reason() -> None:
    bus = MemoryBus()
    bad = await a_bad_record_holds_up_nothing_else(bus)
    assert bus.parked[QUEUE.name] == [(record, "not this one") for record in bad]
    await bus.stop()
