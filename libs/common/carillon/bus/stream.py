"""Reading a RabbitMQ stream from any offset, on a connection of its own. Nothing is taken away from it."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any, Literal, NamedTuple

import aio_pika
from aiormq.abc import DeliveredMessage
from aiormq.channel import Channel
from aiormq.exceptions import AMQPError, ChannelNotFoundEntity

# The first that there is, the last chunk, what comes from now on, what came since a moment, or the entry of a number.
Offset = Literal["first", "last", "next"] | datetime | int

_PREFETCH = 100
_LOOK_S = 1.0
# How long the last chunk may take to begin to come, how long the stream is quiet when all of it has come, and how long
# we look at most where it is never quiet.
_LAST_S = 2.0
_QUIET_S = 0.3
_LONGEST_S = 3.0


class NoStreamError(LookupError):
    """The broker has no such stream: no service has connected to it yet."""


class Entry(NamedTuple):
    """One message of a stream. `offset` rises by one with each."""

    offset: int
    body: bytes


async def read_stream(
    url: str, stream: str, offset: Offset, *, name: str = "stream reader"
) -> AsyncGenerator[Entry, None]:
    """Entries from `offset` on, without end; close it (`aclose`) when enough was read.

    `ConnectionError` when the broker goes away or can't be reached: read again from the last. `NoStreamError`.

    A stream can't be consumed without a prefetch and acknowledgements; they are how it paces its reader. The broker
    hands over whole chunks: what is before a numbered `offset` is left out here.
    """
    connection = await _connect(url, name)
    try:
        channel = await (await connection.channel(publisher_confirms=False)).get_underlay_channel()
        assert isinstance(channel, Channel)
        arrived: asyncio.Queue[DeliveredMessage] = asyncio.Queue()
        await channel.basic_qos(prefetch_count=_PREFETCH)
        arguments: dict[str, Any] = {"x-stream-offset": offset}
        try:
            await channel.basic_consume(stream, arrived.put, arguments=arguments)
        except ChannelNotFoundEntity:
            raise NoStreamError(stream) from None
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


async def last_offset(url: str, stream: str, *, name: str = "stream reader") -> int | None:
    """Offset of the last entry that there is now, or of one that came since; None: the stream is empty.

    The broker tells no such thing over AMQP 0.9.1 (its count is seconds old): so its last chunk is read.
    """
    entries = read_stream(url, stream, "last", name=name)
    loop = asyncio.get_running_loop()
    until_s = loop.time() + _LONGEST_S
    found: int | None = None
    coming = asyncio.ensure_future(anext(entries))
    try:
        while loop.time() < until_s:
            done, _ = await asyncio.wait({coming}, timeout=_LAST_S if found is None else _QUIET_S)
            if not done:
                break
            found = coming.result().offset
            coming = asyncio.ensure_future(anext(entries))
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
        await entries.aclose()
    return found


async def _connect(url: str, name: str) -> aio_pika.abc.AbstractConnection:
    try:
        return await aio_pika.connect(url, client_properties={"connection_name": name})
    except AMQPError as error:
        raise ConnectionError(f"RabbitMQ refuses the connection: {error}") from error


def _entry(message: DeliveredMessage) -> Entry:
    headers = message.header.properties.headers or {}
    offset = headers.get("x-stream-offset")
    assert isinstance(offset, int)
    return Entry(offset, message.body)
