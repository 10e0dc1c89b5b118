"""Reading a RabbitMQ stream from any offset, on a connection of its own. Nothing is taken away from it."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any, Literal, NamedTuple

import aio_pika
from aiormq.abc import DeliveredMessage
from aiormq.channel import Channel

# The first that there is, the last chunk, what comes from now on, what came since a moment, or the entry of a number.
Offset = Literal["first", "last", "next"] | datetime | int

_PREFETCH = 100
_LOOK_S = 1.0


class Entry(NamedTuple):
    """One message of a stream. `offset` rises by one with each."""

    offset: int
    body: bytes


async def read_stream(
    url: str, stream: str, offset: Offset, *, name: str = "stream reader"
) -> AsyncGenerator[Entry, None]:
    """Entries from `offset` on, without end; close it (`aclose`) when enough was read.

    `ConnectionError` when the broker goes away: read again from the last.

    A stream can't be consumed without a prefetch and acknowledgements; they are how it paces its reader. The broker
    hands over whole chunks: what is before a numbered `offset` is left out here.
    """
    connection = await aio_pika.connect(url, client_properties={"connection_name": name})
    try:
        channel = await (await connection.channel(publisher_confirms=False)).get_underlay_channel()
        assert isinstance(channel, Channel)
        arrived: asyncio.Queue[DeliveredMessage] = asyncio.Queue()
        await channel.basic_qos(prefetch_count=_PREFETCH)
        arguments: dict[str, Any] = {"x-stream-offset": offset}
        await channel.basic_consume(stream, arrived.put, arguments=arguments)
        while True:
            try:
                message = await asyncio.wait_for(arrived.get(), _LOOK_S) if arrived.empty() else arrived.get_nowait()
            except TimeoutError:
                if channel.is_closed or connection.is_closed:
                    raise ConnectionError("the broker closed the stream's connection") from None
                continue
            entry = _entry(message)
            if not isinstance(offset, int) or entry.offset >= offset:
                yield entry
            if message.delivery_tag is not None and not channel.is_closed:
                await channel.basic_ack(message.delivery_tag, wait=False)
    finally:
        await connection.close()


def _entry(message: DeliveredMessage) -> Entry:
    headers = message.header.properties.headers or {}
    offset = headers.get("x-stream-offset")
    assert isinstance(offset, int)
    return Entry(offset, message.body)
