"""Group commit: what arrives one by one becomes durable together (rule R2).

One batch is on its way at a time. Whatever arrives meanwhile waits and is the next batch; when nothing is on its way
an item goes at once. So an idle system answers without delay. A busy one, whose last batch has only just gone, lingers
for 2 ms: those who were answered by that batch come back within it, and batches are twice as large. Nobody is answered
before the batch is durable.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

_LINGER_S = 0.002  # rule R2
_BUSY_S = 0.005  # after a batch of several, the next is expected within this

T = TypeVar("T")
Done = Callable[[BaseException | None], None]


class OverloadedError(Exception):
    """Too much is waiting to be committed: the caller should refuse and say when to come back."""


class Committer(Generic[T]):
    """Commits items in batches of at most `max_batch`, in the order in which they came.

    `commit` writes a batch and returns when it is durable; if it raises, every item of the batch gets that error.
    `max_waiting` bounds memory: beyond it `add` raises `OverloadedError`. Items may have a weight (records in them).
    """

    def __init__(
        self, commit: Callable[[list[T]], Awaitable[None]], *, max_batch: int = 500, max_waiting: int = 20_000
    ) -> None:
        self._commit = commit
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._waiting: list[tuple[T, Done]] = []
        self._flusher: asyncio.Task[None] | None = None
        self._busy_until_s = 0.0

    @property
    def waiting(self) -> int:
        """Items that are not in a batch yet."""
        return len(self._waiting)

    async def add(self, item: T) -> None:
        """Return when `item` is durable."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(error: BaseException | None) -> None:
            if future.done():  # the caller gave up waiting; the item is durable all the same
                return
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

        self.add_then(item, done)
        await future

    def add_then(self, item: T, done: Done) -> None:
        """Call `done(None)` when `item` is durable, `done(error)` when its batch failed. No task, no future."""
        if len(self._waiting) >= self._max_waiting:
            raise OverloadedError(f"{self._max_waiting} items are waiting to be committed")
        self._waiting.append((item, done))
        if self._flusher is None:
            # it outlives the request that came first: neither its trace nor its request id are the batches' own
            self._flusher = asyncio.get_running_loop().create_task(self._flush(), context=contextvars.Context())

    async def drain(self) -> None:
        """Return when nothing waits and nothing is on its way."""
        while self._flusher is not None:
            await asyncio.shield(self._flusher)

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            if loop.time() < self._busy_until_s and len(self._waiting) < self._max_batch:
                await asyncio.sleep(_LINGER_S)
            batch, self._waiting = self._waiting[: self._max_batch], self._waiting[self._max_batch :]
            error: BaseException | None = None
            try:
                await self._commit([item for item, _ in batch])
            except Exception as failure:  # noqa: BLE001  whoever waits decides what it means
                error = failure
            _answer(batch, error)
            self._busy_until_s = loop.time() + _BUSY_S if len(batch) > 1 else 0.0
        self._flusher = None


def _answer(batch: Sequence[tuple[T, Done]], error: BaseException | None) -> None:
    for _, done in batch:
        done(error)
