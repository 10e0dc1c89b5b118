"""Rows of a part of the stream, entry by entry."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple

from carillon.bus.stream import Entry, Offset, last_offset, read_stream
from carillon.bus.topology import RECEIPT_STREAM
from carillon.events.stream import decode_event
from carillon.receipts.rows import Row, rows_of
from carillon.receipts.span import Span


class Batch(NamedTuple):
    """The rows of one entry; none where it holds nothing that was asked for. A foreign one can't be read here."""

    offset: int
    rows: list[Row]
    is_foreign: bool = False


class ReceiptReader:
    """Reads `carillon.receipts` of one broker; each reading has a connection of its own. See `read_stream`'s errors."""

    def __init__(self, url: str, *, name: str = "receipt reader") -> None:
        self._url = url
        self._name = name

    def entries(self, offset: Offset) -> AsyncGenerator[Entry, None]:
        """Entries as they are, without end."""
        return read_stream(self._url, RECEIPT_STREAM, offset, name=self._name)

    async def last_offset(self) -> int | None:
        """Offset of the last entry there is."""
        return await last_offset(self._url, RECEIPT_STREAM, name=self._name)

    async def first_offset(self) -> int | None:
        """Offset of the first entry that retention has left; None: the stream is empty."""
        if await self.last_offset() is None:
            return None
        async with aclosing(self.entries("first")) as entries:
            return (await anext(entries)).offset

    async def batches(self, span: Span, account: str | None = None) -> AsyncGenerator[Batch, None]:
        """All entries of the span; ends when it is over."""
        async with aclosing(self.entries(span.begin)) as entries:
            async for offset, body in entries:
                if span.last is not None and offset > span.last:
                    return  # retention has deleted all that was asked for
                event = decode_event(body)
                if event is None:
                    yield Batch(offset, [], is_foreign=True)
                    if offset == span.last:
                        return
                    continue
                yield Batch(offset, rows_of(offset, event, account) if span.holds(event.time) else [])
                if span.is_over(offset, event.time):
                    return
