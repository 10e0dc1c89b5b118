"""From the stream to an output: in commits, across reconnections, until the span is over or somebody stops it."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress

from carillon.receipts.reader import Batch, ReceiptReader
from carillon.receipts.span import Span
from carillon_cli.receipts.checkpoint import Output, OutputError

COMMIT_ROWS = 50_000
COMMIT_S = 2.0
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0


class GapError(Exception):
    """Entries that were to come next are no longer in the stream; `missed` are the first and the last of them."""

    def __init__(self, first: int, last: int) -> None:
        super().__init__(f"the entries {first} to {last} are no longer in the stream: retention has deleted them")
        self.missed = (first, last)


class Copying:
    """One run. `attempts` are the times that the broker may be away in a row; None: it is waited for."""

    def __init__(
        self,
        reader: ReceiptReader,
        output: Output,
        account: str | None,
        say: Callable[[str], None],
        *,
        attempts: int | None = None,
        allow_gap: bool = False,
    ) -> None:
        self._reader = reader
        self._output = output
        self._account = account
        self._say = say
        self._attempts = attempts
        self._allow_gap = allow_gap
        self._next: int | None = None
        self._held = 0
        self._commit_at_s = time.monotonic() + COMMIT_S
        self.rows = 0

    async def run(self, span: Span) -> None:
        """Copy until the span is over; cancelled, it commits what it has. `GapError`, `ConnectionError`."""
        try:
            await self._persist(span)
        except OutputError:  # part of a row may be there: nothing since the last commit counts
            raise
        except BaseException:
            self._commit()
            raise
        self._commit()

    async def _persist(self, span: Span) -> None:
        pause_s, failures = _FIRST_PAUSE_S, 0
        while True:
            before = self._next
            try:
                await self._copy(span if self._next is None else span.after(self._next - 1))
                return
            except ConnectionError as error:
                pause_s, failures = (_FIRST_PAUSE_S, 1) if self._next != before else (pause_s, failures + 1)
                if self._attempts is not None and failures >= self._attempts:
                    raise
                self._say(f"{error}; trying again in {pause_s:g} s")
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _copy(self, span: Span) -> None:
        batches = self._reader.batches(span, self._account)
        coming: asyncio.Task[Batch] | None = None
        is_first = True
        try:
            while True:
                coming = coming or asyncio.ensure_future(_next(batches))
                done, _ = await asyncio.wait({coming}, timeout=COMMIT_S)
                if not done:
                    self._commit()
                    continue
                try:
                    batch = coming.result()
                except StopAsyncIteration:
                    return
                finally:
                    coming = None
                if is_first:
                    is_first = False
                    await self._look_for_gap(span, batch.offset)
                self._take(batch)
        finally:
            if coming is not None:
                coming.cancel()
                with suppress(BaseException):
                    await coming
            await batches.aclose()

    async def _look_for_gap(self, span: Span, offset: int) -> None:
        if isinstance(span.begin, int) and offset > span.begin:
            first = await self._reader.first_offset()
            if first is not None and first > span.begin:
                gap = GapError(span.begin, first - 1)
                if not self._allow_gap:
                    raise gap
                self._say(str(gap))

    def _take(self, batch: Batch) -> None:
        if batch.is_foreign:
            self._say(f"entry {batch.offset} is no event that this version knows: left out")
        self._output.add(batch.rows)
        self._next = batch.offset + 1
        self.rows += len(batch.rows)
        self._held += len(batch.rows)
        if self._held >= COMMIT_ROWS or time.monotonic() >= self._commit_at_s:
            self._commit()

    def _commit(self) -> None:
        if self._next is not None and self._next != self._output.next_offset:
            self._output.commit(self._next)
            self._held = 0
        self._commit_at_s = time.monotonic() + COMMIT_S


async def _next(batches: AsyncGenerator[Batch, None]) -> Batch:
    return await anext(batches)
