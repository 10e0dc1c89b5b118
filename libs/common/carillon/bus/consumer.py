"""Consuming in batches: deliveries are gathered, handled together, and acknowledged when the handler has returned."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog
from aiormq.abc import AbstractChannel, DeliveredMessage
from aiormq.channel import Channel

from carillon.bus.isolation import ATTEMPTS, handle_isolated
from carillon.bus.port import Delivery, Subscription
from carillon.bus.publisher import Outgoing, Publisher
from carillon.bus.topology import Queue
from carillon.bus.unread import UnknownEventError, set_aside
from carillon.events.catalogue import BY_NAME, Event
from carillon.events.codec import BadRecordError, decode
from carillon.telemetry import metrics, names, traces

log = structlog.get_logger(__name__)

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0
_BUSY_S = 0.01  # after a batch, more is expected within this


class Consumer:
    """One subscription. It outlives channels: `attach` gives it a new one after each reconnection."""

    def __init__(
        self,
        subscription: Subscription,
        publisher: Publisher,
        temporary: tuple[type[Exception], ...],
        events: Mapping[str, Event] = BY_NAME,
    ) -> None:
        self._subscription = subscription
        self._publisher = publisher
        self._temporary = temporary
        self._events = events
        self._channel: Channel | None = None
        self._tag: str | None = None
        self._waiting: deque[DeliveredMessage] = deque()
        self._arrived = asyncio.Event()
        self._workers: list[asyncio.Task[None]] = []
        self._attached: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def queue(self) -> Queue:
        """What it consumes."""
        return self._subscription.queue

    async def attach(self, channel: Channel, queue_name: str) -> None:
        """Consume on this channel. What was delivered on an earlier one is forgotten: the broker delivers it again."""
        self._waiting.clear()
        self._channel = channel
        await channel.basic_qos(prefetch_count=self._subscription.prefetch)
        answer = await channel.basic_consume(queue_name, self._on_message)
        self._tag = answer.consumer_tag
        if self._subscription.on_attach is not None:
            self._attached = asyncio.create_task(self._run_on_attach(self._subscription.on_attach))
        if not self._workers or any(worker.done() for worker in self._workers):
            for worker in self._workers:
                worker.cancel()
            self._workers = [
                asyncio.create_task(self._work(), name=f"{self.queue.name} {number}")
                for number in range(self._subscription.concurrency)
            ]

    def detach(self) -> None:
        """The channel is gone."""
        self._channel = None
        self._tag = None
        self._waiting.clear()
        if self._subscription.on_detach is not None:
            self._subscription.on_detach()

    def is_live(self) -> bool:
        """The channel is open, the broker has not cancelled us, and every worker is at work."""
        return (
            self._channel is not None
            and not self._channel.is_closed
            and self._tag in self._channel.consumers
            and not any(worker.done() for worker in self._workers)
        )

    async def stop(self) -> None:
        """Take nothing new, finish the batches under way, give the rest back."""
        self._stopping = True
        channel, tag = self._channel, self._tag
        if channel is not None and not channel.is_closed and tag is not None:
            try:
                await channel.basic_cancel(tag)
            except Exception as error:  # noqa: BLE001  a dead channel gives everything back by itself
                log.debug("consumer.cancel_failed", queue=self.queue.name, error=repr(error))
        self._waiting.clear()
        self._arrived.set()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._workers = []
        if channel is not None and not channel.is_closed:
            await channel.close()

    async def _run_on_attach(self, on_attach: Callable[[], Awaitable[None]]) -> None:
        try:
            await on_attach()
        except Exception as error:  # noqa: BLE001  the next attachment tries again
            log.warning("consumer.on_attach_failed", queue=self.queue.name, error=repr(error))

    async def _on_message(self, message: DeliveredMessage) -> None:
        if message.channel is self._channel and not self._stopping:
            self._waiting.append(message)
            self._arrived.set()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        busy_until_s = 0.0
        while not self._stopping:
            if not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            wait_s = self._subscription.max_wait_s
            if loop.time() < busy_until_s:
                wait_s += self._subscription.linger_s
            if wait_s:
                await asyncio.sleep(wait_s)
            messages, deliveries = await self._take()
            try:
                if messages and await self._handle(messages[0].channel, deliveries):
                    await self._acknowledge(messages)
            except Exception:  # a fault of ours: the connection is made anew and the broker delivers again
                log.exception("consumer.worker_failed", queue=self.queue.name)
                raise
            busy_until_s = loop.time() + _BUSY_S

    async def _take(self) -> tuple[list[DeliveredMessage], list[Delivery]]:
        """The next batch: as many deliveries as hold together at most `max_batch` records, and at least one."""
        messages: list[DeliveredMessage] = []
        deliveries: list[Delivery] = []
        unread: list[Outgoing] = []
        records = 0
        while self._waiting and records < self._subscription.max_batch:
            message = self._waiting[0]
            try:
                delivery = _read(message, self._events)
            except BadRecordError as error:
                self._waiting.popleft()
                unread.extend(set_aside(self.queue, message, error))
                messages.append(message)
                continue
            if deliveries and records + len(delivery.records) > self._subscription.max_batch:
                break
            self._waiting.popleft()
            messages.append(message)
            deliveries.append(delivery)
            records += len(delivery.records)
        if unread:
            await self._publisher.publish(unread)
        return messages, deliveries

    async def _handle(self, channel: AbstractChannel, deliveries: Sequence[Delivery]) -> bool:
        """Whether the batch is done with. While a server is away it is tried again, as long as it is still ours."""
        if not deliveries:
            return True
        name = self.queue.label
        pause_s = _FIRST_PAUSE_S
        began_s = time.monotonic()
        age_s = _age_s(deliveries[0])
        if age_s is not None:
            metrics.record_queue_age(name, age_s)
        with traces.span(
            self._subscription.span,
            links=(getattr(record, "trace", None) for delivery in deliveries for record in delivery.records),
            causes=traces.causes_of(delivery.headers for delivery in deliveries),
            attributes={names.QUEUE: name},
            kind="consumer",
        ):
            while True:
                try:
                    await self._handle_once(deliveries)
                except self._temporary as error:
                    log.warning("consumer.waits", queue=name, pause_s=pause_s, error=repr(error))
                    await asyncio.sleep(pause_s)
                    pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
                    if self._stopping or channel.is_closed:
                        return False  # unacknowledged: whoever gets it next handles it
                else:
                    records = sum(len(delivery.records) for delivery in deliveries)
                    metrics.record_consumed(name, records, time.monotonic() - began_s)
                    return True

    async def _handle_once(self, deliveries: Sequence[Delivery]) -> None:
        try:
            await self._subscription.handler(deliveries)
        except self._temporary:
            raise
        except Exception as error:
            log.warning("consumer.batch_failed", queue=self.queue.name, error=repr(error), exc_info=True)
            await handle_isolated(self._subscription, deliveries, self._publisher, self._temporary)

    async def _acknowledge(self, messages: Sequence[DeliveredMessage]) -> None:
        """One frame for the batch where only one batch is under way, else one a delivery."""
        channel = messages[0].channel
        if channel.is_closed:
            return  # they will be delivered again, and handling them again changes nothing
        try:
            if self._subscription.concurrency == 1:
                await channel.basic_ack(_tag(messages[-1]), multiple=True, wait=False)
            else:
                for message in messages:
                    await channel.basic_ack(_tag(message), wait=False)
        except Exception as error:  # noqa: BLE001  the same
            log.debug("consumer.ack_failed", queue=self.queue.name, error=repr(error))


def _tag(message: DeliveredMessage) -> int:
    tag = message.delivery_tag
    assert tag is not None
    return tag


def _age_s(oldest: Delivery) -> float | None:
    """Seconds since its first record came to be. Not for what was deferred: that has waited on purpose.

    Read from the record, not from a header: a header costs 3 us at each end of the queue, for the same answer.
    """
    record = oldest.records[0] if oldest.records else None
    at_ms: int | None = getattr(record, "at", None) or getattr(record, "accepted_at", None)
    if at_ms is None or ATTEMPTS in oldest.headers:
        return None
    return max(time.time() - at_ms / 1000, 0.0)


def _read(message: DeliveredMessage, events: Mapping[str, Event]) -> Delivery:
    properties = message.header.properties
    event = events.get(properties.message_type or "")
    if event is None:
        raise UnknownEventError(f"unknown event {properties.message_type!r}")
    return Delivery(event, decode(event.record, message.body), properties.headers or {}, bool(message.redelivered))
