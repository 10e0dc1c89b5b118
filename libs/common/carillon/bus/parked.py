"""Parking queues, for people: what rests there and why, and back to its queue with it.

Looking takes nothing away: messages are fetched and, unacknowledged, given back. Each look counts as a delivery, and a
newer broker drops what was delivered too often from a queue without a limit of its own (20 times, RabbitMQ 4); so a
message that was looked at several times is parked anew, before it is let go.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aio_pika
from aiormq.abc import DeliveredMessage
from aiormq.channel import Channel
from aiormq.exceptions import AMQPError, ChannelNotFoundEntity

from carillon.bus.isolation import ATTEMPTS, PARKED_AT, REASON
from carillon.bus.publisher import Outgoing, Publisher
from carillon.bus.unread import UNKNOWN_SINCE, UNKNOWN_TIMES

REPLAYED = "x-carillon-replayed"  # how often it has been replayed
SUFFIX = ".parked"

_TIMEOUT_S = 30.0
_AT_ONCE = 100
_BACK_WITHIN_S = 2.0
_LOOKS = 8
# what belongs to its former life: it begins anew
_FORGOTTEN = frozenset({ATTEMPTS, REASON, PARKED_AT, UNKNOWN_SINCE, UNKNOWN_TIMES, "x-delivery-count"})


class NoQueueError(LookupError):
    """The broker has no queue of this name."""


@dataclass(frozen=True, slots=True)
class Parked:
    """One parked message: a record of an event, a batch of them, or a body that nobody could read.

    `id` stays the same from one look to the next. `deaths`: what the broker notes of each dead-lettering, as
    `reason of queue, so many times`. `parked_at_ms` is None where nobody noted it.
    """

    id: str
    event: str
    reason: str
    parked_at_ms: int | None
    deaths: tuple[str, ...]
    attempts: int
    replayed: int
    body: bytes


@dataclass(frozen=True, slots=True)
class QueueCount:
    """A queue, how many messages are ready in it, and how many consumers it has."""

    name: str
    messages: int
    consumers: int


@asynccontextmanager
async def open_parking(url: str) -> AsyncIterator["Parking"]:
    """A connection for looking and replaying; `ConnectionError` when the broker does not answer, or goes away."""
    try:
        connection = await aio_pika.connect(url, client_properties={"connection_name": "carillon parked"}, timeout=10)
        async with connection:
            yield Parking(connection)
    except AMQPError as error:
        raise ConnectionError(str(error) or type(error).__name__) from error


class Parking:
    """The parking queues of one broker. `queue` is always the name of the queue that messages belong to."""

    def __init__(self, connection: aio_pika.abc.AbstractConnection) -> None:
        self._connection = connection

    @property
    def version(self) -> str:
        """The broker's version, as it says at the start of a connection."""
        transport = self._connection.transport
        assert transport is not None
        return _text(getattr(transport.connection, "server_properties", {}).get("version", "unknown"))

    async def count(self, name: str) -> QueueCount:
        """Any queue's messages and consumers; `NoQueueError`."""
        channel = await self._channel()
        try:
            declared = await channel.queue_declare(queue=name, passive=True)
        except ChannelNotFoundEntity as error:
            raise NoQueueError(f"the broker has no queue {name}") from error
        await channel.close()
        return QueueCount(name, declared.message_count or 0, declared.consumer_count or 0)

    async def look(self, queue: str, limit: int) -> list[Parked]:
        """The first `limit` messages parked for this queue; they stay there."""
        seen: list[Parked] = []

        async def keep(_message: DeliveredMessage, parked: Parked) -> bool:
            seen.append(parked)
            return False

        await self._visit(queue, limit, keep)
        return seen

    async def replay(self, queue: str, *, ids: Collection[str] | None = None, limit: int | None = None) -> list[Parked]:
        """Put parked messages back into their queue: all, those with these ids, or the first `limit`.

        Each is acknowledged in the parking queue only after the broker has confirmed it in the other: a crash in
        between leaves it in both, and a second replay makes it be handled twice, which consumers bear.
        """
        await self.count(queue)

        def again(headers: Mapping[str, Any], parked: Parked) -> Outgoing:
            fresh = {name: value for name, value in headers.items() if name not in _FORGOTTEN and not _of_death(name)}
            return Outgoing("", queue, parked.body, parked.event, {**fresh, REPLAYED: parked.replayed + 1})

        return await self._take(queue, ids, limit, again)

    async def drop(self, queue: str, *, ids: Collection[str] | None = None, limit: int | None = None) -> list[Parked]:
        """Remove parked messages for good."""
        return await self._take(queue, ids, limit, lambda _headers, _parked: None)

    async def _take(
        self,
        queue: str,
        ids: Collection[str] | None,
        limit: int | None,
        make: Callable[[Mapping[str, Any], Parked], Outgoing | None],
    ) -> list[Parked]:
        publisher = await self._publisher()
        taken: list[Parked] = []
        chosen: list[tuple[DeliveredMessage, Parked]] = []

        async def settle() -> None:
            outgoing = [made for message, parked in chosen if (made := make(_headers(message), parked)) is not None]
            if outgoing:
                await publisher.publish(outgoing)
            for message, parked in chosen:
                assert message.delivery_tag is not None
                await message.channel.basic_ack(message.delivery_tag)
                taken.append(parked)
            chosen.clear()

        async def choose(message: DeliveredMessage, parked: Parked) -> bool:
            if ids is not None and parked.id not in ids:
                return False
            chosen.append((message, parked))
            if len(chosen) == _AT_ONCE:
                await settle()
            return True

        await self._visit(queue, limit if ids is None else None, choose, settle)
        return taken

    async def _visit(
        self,
        queue: str,
        limit: int | None,
        visit: Callable[[DeliveredMessage, Parked], Awaitable[bool]],
        at_end: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Fetch each message that is there now; those that `visit` does not take go back when the channel closes."""
        name = queue + SUFFIX
        count = (await self.count(name)).messages
        channel = await self._channel()
        tired: list[DeliveredMessage] = []
        visited = taken_away = 0
        for _ in range(count if limit is None else min(limit, count)):
            answer = await channel.basic_get(name)
            if answer.delivery_tag is None:  # somebody else took it meanwhile
                break
            taken = await visit(answer, read(answer))
            visited += 1
            taken_away += taken
            if not taken and _number(_headers(answer).get("x-delivery-count")) >= _LOOKS:
                tired.append(answer)
        if at_end is not None:
            await at_end()
        await self._park_anew(name, tired)
        await channel.close()
        await self._given_back(name, visited - taken_away)

    async def _given_back(self, name: str, messages: int) -> None:
        """A quorum queue takes a moment to have them back; who looks again at once is to see them."""
        deadline_s = asyncio.get_running_loop().time() + _BACK_WITHIN_S
        while (await self.count(name)).messages < messages and asyncio.get_running_loop().time() < deadline_s:
            await asyncio.sleep(0.02)

    async def _park_anew(self, name: str, tired: list[DeliveredMessage]) -> None:
        if not tired:
            return
        publisher = await self._publisher()
        for message in tired:
            headers = {key: value for key, value in _headers(message).items() if key != "x-delivery-count"}
            type_ = message.header.properties.message_type or ""
            await publisher.publish([Outgoing("", name, message.body, type_, headers)])
            assert message.delivery_tag is not None
            await message.channel.basic_ack(message.delivery_tag)

    async def _publisher(self) -> Publisher:
        publisher = Publisher(_TIMEOUT_S)
        publisher.attach(await self._channel(confirms=True))
        return publisher

    async def _channel(self, *, confirms: bool = False) -> Channel:
        channel = await (await self._connection.channel(publisher_confirms=confirms)).get_underlay_channel()
        assert isinstance(channel, Channel)
        return channel


def read(message: DeliveredMessage) -> Parked:
    """What a parked message says of itself."""
    headers = _headers(message)
    event = message.header.properties.message_type or ""
    deaths = [death for death in headers.get("x-death") or [] if isinstance(death, Mapping)]
    parked_at = headers.get(PARKED_AT)
    if not isinstance(parked_at, int):
        when = deaths[0].get("time") if deaths else None
        parked_at = round(when.timestamp() * 1000) if isinstance(when, datetime) else None
    reason = headers.get(REASON)
    if not reason and deaths:
        reason = f"given up by the broker: {_text(deaths[0].get('reason'))}"
    digest = hashlib.sha256(b"\0".join((event.encode(), str(parked_at).encode(), message.body)))
    return Parked(
        id=digest.hexdigest()[:12],
        event=event,
        reason=_text(reason or "unknown"),
        parked_at_ms=parked_at,
        deaths=tuple(
            f"{_text(death.get('reason'))} of {_text(death.get('queue'))}, {_number(death.get('count'))} times"
            for death in deaths
        ),
        attempts=_number(headers.get(ATTEMPTS)),
        replayed=_number(headers.get(REPLAYED)),
        body=bytes(message.body),
    )


def _headers(message: DeliveredMessage) -> Mapping[str, Any]:
    return message.header.properties.headers or {}


def _of_death(name: str) -> bool:
    return name == "x-death" or name.startswith(("x-first-death-", "x-last-death-"))


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
