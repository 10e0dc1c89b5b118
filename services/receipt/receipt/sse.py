"""The receipt stream over HTTP, as server-sent events: an account's own part of it, from any offset."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Protocol

import structlog

from carillon.bus.stream import Entry, Offset
from receipt.domain.stream import narrowed

log = structlog.get_logger(__name__)

HEARTBEAT_S = 15.0
MAX_READERS = 100


class Reader(Protocol):
    """Where entries come from: `carillon.receipts.reader.ReceiptReader`."""

    def entries(self, offset: Offset) -> AsyncGenerator[Entry, None]:
        """From an offset on, without end."""
        ...

    async def first_offset(self) -> int | None:
        """The first that retention has left."""
        ...


class ReceiptStream:
    """Each reader has a connection of its own to the broker, so they are counted."""

    def __init__(self, reader: Reader, *, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._reader = reader
        self._heartbeat_s = heartbeat_s
        self._readers = 0

    @property
    def is_full(self) -> bool:
        """Whether another reader has to be turned away."""
        return self._readers >= MAX_READERS

    async def events(self, account: str, offset: Offset) -> AsyncIterator[bytes]:
        """Server-sent events; the id of each is its offset. Ends when the broker goes away: the client comes again.

        `gap` names the entries that were asked for and that retention has deleted.
        A heartbeat carries the last offset, so that who reconnects does not read again what was not its own.
        """
        self._readers += 1
        entries = self._reader.entries(offset)
        seen: int | None = None
        coming: asyncio.Task[Entry] | None = None
        try:
            yield b"retry: 2000\n\n"
            while True:
                coming = coming or asyncio.create_task(_next(entries))
                done, _ = await asyncio.wait({coming}, timeout=self._heartbeat_s)
                if not done:
                    yield b": \n\n" if seen is None else b": \nid: %d\n\n" % seen
                    continue
                entry = coming.result()
                coming = None
                if seen is None and isinstance(offset, int) and entry.offset > offset:
                    first = await self._reader.first_offset()
                    if first is not None and first > offset:
                        yield b'event: gap\ndata: {"from": %d, "to": %d}\n\n' % (offset, first - 1)
                seen = entry.offset
                event = narrowed(entry.body, account)
                if event is not None:
                    yield b"id: %d\nevent: receipts\ndata: %s\n\n" % (seen, event)
        except (ConnectionError, StopAsyncIteration) as error:
            log.info("sse.ended", reason=repr(error))
        finally:
            self._readers -= 1
            if coming is not None:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)
            await entries.aclose()


async def _next(entries: AsyncIterator[Entry]) -> Entry:
    return await anext(entries)
