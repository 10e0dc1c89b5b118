"""The receipt stream as a file, over HTTP: an account's own part of it, made while it is sent."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import datetime
from typing import NamedTuple

from carillon.bus.stream import Offset
from carillon.receipts.formats import Format, Writer, writer
from carillon.receipts.reader import Batch, ReceiptReader
from carillon.receipts.rows import Row
from carillon.receipts.span import Span

MAX_EXPORTS = 10
# A Parquet row group; the others are sent as soon as they are worth a packet.
_ROWS_AT_ONCE: dict[Format, int] = {"ndjson": 500, "csv": 500, "parquet": 20_000}


class Export(NamedTuple):
    """A file on its way. `next_offset` is where the next one begins; None: up to a time that may be reached before."""

    next_offset: int | None
    pieces: AsyncIterator[bytes]


class Exports:
    """Each has a connection of its own to the broker and holds a row group in memory, so they are counted."""

    def __init__(self, reader: ReceiptReader) -> None:
        self._reader = reader
        self._under_way = 0

    @property
    def is_full(self) -> bool:
        """Whether another one has to be turned away."""
        return self._under_way >= MAX_EXPORTS

    async def open(self, account: str, format_: Format, begin: Offset, until: datetime | None) -> Export:
        """From `begin` to the end of the stream as it is now, or to `until`. `ConnectionError`: the broker is away."""
        last = await self._reader.last_offset()
        span = Span.starting(begin, until).up_to(last)
        following = begin if isinstance(begin, int) else 0
        if last is not None:
            following = max(following, last + 1)
        batches = self._reader.batches(span, account) if span is not None else _nothing()
        return Export(following if until is None else None, self._pieces(batches, format_))

    async def _pieces(self, batches: AsyncGenerator[Batch, None], format_: Format) -> AsyncIterator[bytes]:
        self._under_way += 1
        try:
            async with aclosing(batches):
                file = await asyncio.to_thread(writer, format_)
                if head := file.head():
                    yield head
                held: list[Row] = []
                async for batch in batches:
                    held += batch.rows
                    if len(held) >= _ROWS_AT_ONCE[format_]:
                        yield await _encoded(file, held, format_)
                        held = []
                if held:
                    yield await _encoded(file, held, format_)
                if end := file.end():
                    yield end
        finally:
            self._under_way -= 1


async def _encoded(file: Writer, rows: list[Row], format_: Format) -> bytes:
    # a Parquet row group takes long enough to be made beside the loop
    return await asyncio.to_thread(file.rows, rows) if format_ == "parquet" else file.rows(rows)


async def _nothing() -> AsyncGenerator[Batch, None]:
    no_batches: list[Batch] = []
    for batch in no_batches:
        yield batch
