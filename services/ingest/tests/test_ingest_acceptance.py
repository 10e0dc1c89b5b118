"""Group commit, and what happens when the broker is slow: a bounded wait, a clear answer, flat memory."""

import asyncio
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from carillon.runtime.committer import OverloadedError
from carillon.testing.builders import an_accepted
from carillon.testing.bus import MemoryBus
from ingest.acceptance import Acceptance

GOOD = "number=33614806759&content=Test"


class Valve:
    """Holds every publish of a bus while it is shut."""

    def __init__(self, bus: MemoryBus) -> None:
        self.batches: list[int] = []
        self._publish = bus.publish
        self._open = asyncio.Event()
        bus.publish = self.publish  # type: ignore[method-assign]

    async def publish(self, event: Any, records: Any, **named: Any) -> None:
        await self._open.wait()
        self.batches.append(len(records))
        await self._publish(event, records, **named)

    def open(self) -> None:
        self._open.set()


async def test_pushes_that_come_together_are_published_together(ingest: Any) -> None:
    valve = Valve(ingest.bus)
    pushes = [asyncio.create_task(ingest.push(GOOD)) for _ in range(700)]
    await asyncio.sleep(0.5)
    assert not any(push.done() for push in pushes)
    valve.open()
    answers = await asyncio.gather(*pushes)
    assert max(valve.batches) == 500
    assert len(valve.batches) <= 3
    assert sorted(int(answer.text) for answer in answers) == sorted(message.id for message in ingest.said)


async def test_lanes_do_not_wait_for_each_other() -> None:
    bus = MemoryBus()
    publish = bus.publish

    async def no_bulk(event: Any, records: Any, *, lane: Any = None, **named: Any) -> None:
        if lane == "bulk":
            await asyncio.Event().wait()
        await publish(event, records, lane=lane, **named)

    bus.publish = no_bulk  # type: ignore[method-assign]
    acceptance = Acceptance(bus, max_waiting=10)
    stuck = asyncio.create_task(acceptance.accept(an_accepted(lane="bulk")))
    await asyncio.wait_for(acceptance.accept(an_accepted(lane="urgent")), 1)
    stuck.cancel()


async def test_under_overload_pushes_are_turned_away_and_memory_stays_flat(
    make_ingest: Callable[..., Any],
) -> None:
    ingest = make_ingest(max_waiting=200)
    valve = Valve(ingest.bus)
    waiting = []
    for _ in range(2):  # what the first commit has under way, and then as many as may wait
        waiting += [asyncio.create_task(ingest.push(GOOD)) for _ in range(300)]
        await asyncio.sleep(0.2)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(3_000):
        answer = await ingest.push(GOOD)
        assert (answer.status, answer.headers["carillon-reason"]) == (503, "overloaded")
        assert int(answer.headers["retry-after"]) > 0
        assert "KO" not in answer.text
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 200_000
    valve.open()
    answers = await asyncio.gather(*waiting)
    taken = [answer for answer in answers if answer.status == 200]
    assert len(taken) == 400
    assert len(ingest.said) == len(taken)
    assert (await ingest.push(GOOD)).status == 200


async def test_batches_are_bounded_together(make_ingest: Callable[..., Any]) -> None:
    ingest = make_ingest(max_waiting=1_500)
    valve = Valve(ingest.bus)
    batch = {"messages": [{"to": "33614806759", "text": "Test"}] * 1_000}
    first = asyncio.create_task(ingest.post("/v1/messages", batch))
    await asyncio.sleep(0.2)
    busy = await ingest.post("/v1/messages", batch)
    assert (busy.status, busy.json["code"]) == (503, "overloaded")
    assert int(busy.headers["retry-after"]) > 0
    valve.open()
    assert (await first).status == 202
    assert (await ingest.post("/v1/messages", batch)).status == 202


async def test_a_batch_larger_than_the_bound_passes_when_nothing_waits() -> None:
    bus = MemoryBus()
    valve = Valve(bus)
    acceptance = Acceptance(bus, max_waiting=1)
    first = asyncio.create_task(acceptance.accept_batch([an_accepted(), an_accepted()]))
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError):
        await acceptance.accept_batch([an_accepted()])
    valve.open()
    await first


async def test_stopping_waits_for_what_was_taken(ingest: Any) -> None:
    valve = Valve(ingest.bus)
    push = asyncio.create_task(ingest.push(GOOD))
    await asyncio.sleep(0.05)
    stopping = asyncio.create_task(ingest.acceptance.stop())
    await asyncio.sleep(0.05)
    assert not stopping.done()
    valve.open()
    await stopping
    assert (await push).text.isdigit()
