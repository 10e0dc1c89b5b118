"""Group commit: batches, order, errors, bounds."""

import asyncio
from contextvars import ContextVar

import pytest

from carillon.runtime.committer import Committer, OverloadedError


class Store:
    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    async def commit(self, batch: list[int]) -> None:
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.batches.append(batch)


async def test_alone_it_goes_at_once() -> None:
    store = Store()
    await asyncio.wait_for(Committer(store.commit).add(1), 1)
    assert store.batches == [[1]]


async def test_what_arrives_meanwhile_is_the_next_batch_in_order() -> None:
    store = Store()
    store.gate.clear()
    committer = Committer(store.commit, max_batch=100)
    waiting = [asyncio.create_task(committer.add(number)) for number in range(250)]
    await asyncio.sleep(0.01)
    assert not any(task.done() for task in waiting)
    store.gate.set()
    await asyncio.gather(*waiting)
    assert [number for batch in store.batches for number in batch] == list(range(250))
    assert len(store.batches) <= 4
    assert max(map(len, store.batches)) == 100


async def test_an_error_reaches_its_batch_and_no_other() -> None:
    store = Store()
    store.error = RuntimeError("disk full")
    committer = Committer(store.commit)
    with pytest.raises(RuntimeError, match="disk full"):
        await committer.add(1)
    store.error = None
    await committer.add(2)
    assert store.batches == [[2]]


async def test_memory_is_bounded() -> None:
    store = Store()
    store.gate.clear()
    committer = Committer(store.commit, max_batch=10, max_waiting=2)
    first = asyncio.create_task(committer.add(1))
    await asyncio.sleep(0.01)
    committer.add_then(3, lambda _: None)
    committer.add_then(4, lambda _: None)
    with pytest.raises(OverloadedError):
        committer.add_then(5, lambda _: None)
    store.gate.set()
    await committer.drain()
    await first
    assert committer.waiting == 0


async def test_whoever_gives_up_waiting_disturbs_nobody() -> None:
    store = Store()
    store.gate.clear()
    committer = Committer(store.commit)
    impatient = asyncio.create_task(committer.add(1))
    patient = asyncio.create_task(committer.add(2))
    await asyncio.sleep(0.01)
    impatient.cancel()
    store.gate.set()
    await patient
    assert sorted(number for batch in store.batches for number in batch) == [1, 2]


async def test_a_batch_knows_nothing_of_the_request_that_came_first() -> None:
    whose: ContextVar[str | None] = ContextVar("whose", default=None)
    seen: list[str | None] = []

    async def commit(_batch: list[int]) -> None:
        seen.append(whose.get())

    committer = Committer(commit)

    async def request(number: int) -> None:
        whose.set(f"request {number}")
        await committer.add(number)

    await asyncio.gather(*(asyncio.create_task(request(number)) for number in range(3)))
    assert set(seen) == {None}
