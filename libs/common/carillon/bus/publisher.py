"""Publishing with confirms. What the broker did not confirm is published again on the next connection."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiormq.channel import Channel
from aiormq.exceptions import AMQPError
from pamqp.commands import Basic

from carillon.bus.port import BusDownError
from carillon.telemetry import metrics, traces

_PERSISTENT = 2


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to the broker. `type_` is the event's name."""

    exchange: str
    key: str
    body: bytes
    type_: str
    headers: Mapping[str, Any] | None = None
    records: int = 1
    content_type: str = "application/json"
    expires_ms: int | None = None  # in its queue; where the queue has a limit of its own, the shorter one counts


class Publisher:
    """Holds the one channel in confirm mode. Safe to publish again: consumers are idempotent on the records' ids."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._channel: Channel | None = None
        self._attached = asyncio.Event()

    def attach(self, channel: Channel) -> None:
        """Publish on this channel from now on."""
        self._channel = channel
        self._attached.set()

    def detach(self) -> None:
        """The channel is gone; publishing waits for the next."""
        self._channel = None
        self._attached.clear()

    def is_live(self) -> bool:
        """Whether there is an open channel."""
        return self._channel is not None and not self._channel.is_closed

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Return when all are confirmed; `BusDownError` when that took longer than the time-out."""
        try:
            async with asyncio.timeout(self._timeout_s):
                if len(messages) == 1:
                    await self._publish(messages[0])
                else:
                    await asyncio.gather(*(self._publish(message) for message in messages))
        except TimeoutError as error:
            raise BusDownError(f"RabbitMQ did not confirm within {self._timeout_s:g} s") from error

    async def _publish(self, message: Outgoing) -> None:
        headers = dict(message.headers) if message.headers else {}
        traces.inject(headers)
        began_s = time.monotonic()
        while True:
            await self._attached.wait()
            channel = self._channel
            if channel is None:
                continue
            try:
                confirmation = await channel.basic_publish(
                    message.body,
                    exchange=message.exchange,
                    routing_key=message.key,
                    properties=Basic.Properties(
                        content_type=message.content_type,
                        delivery_mode=_PERSISTENT,
                        message_type=message.type_,
                        headers=headers or None,
                        expiration=None if message.expires_ms is None else str(message.expires_ms),
                    ),
                    wait=False,
                )
            except (AMQPError, ConnectionError, RuntimeError, asyncio.InvalidStateError):
                # the connection died before the confirm: the supervisor brings the next one
                await asyncio.sleep(0.05)
                continue
            if isinstance(confirmation, Basic.Ack):
                metrics.record_published(message.type_ or message.key, message.records, time.monotonic() - began_s)
                return
            await asyncio.sleep(0.2)  # nack: the broker can't take it now (memory, disk, a leader election)
