"""The bus on a real RabbitMQ: one connection, declared again from scratch each time that it is lost.

aio-pika's robust connection restores consumers behind our back and has been seen to lose one silently; here a
supervisor opens a plain connection, declares everything, starts every consumer, and begins again when anything of it
dies. So "connected" and "every consumer is live" are facts that `problems()` can look at.
"""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import aio_pika
import structlog
from aiormq.channel import Channel

from carillon.bus.consumer import Consumer
from carillon.bus.declare import declare_queue, declare_topology
from carillon.bus.port import Subscription
from carillon.bus.publisher import Outgoing, Publisher
from carillon.bus.topology import EXCHANGE, Queue
from carillon.events.base import MAX_RECORDS, Lane, Record
from carillon.events.catalogue import BY_NAME, Event
from carillon.events.codec import encode

log = structlog.get_logger(__name__)

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_WATCH_S = 1.0


class RabbitBus:
    """See `carillon.bus.port.Bus`. `name` is shown in RabbitMQ's list of connections.

    `temporary` are the errors of a handler that mean "a server is away": the batch is tried again until it is back,
    and no record is blamed for it. `events` are those that this process can read, the catalogue's.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        temporary: tuple[type[Exception], ...] = (ConnectionError, TimeoutError),
        publish_timeout_s: float = 30.0,
        events: Mapping[str, Event] = BY_NAME,
    ) -> None:
        self._url = url
        self._name = name
        self._temporary = temporary
        self._events = events
        self._publisher = Publisher(publish_timeout_s)
        self._consumers: dict[str, Consumer] = {}
        self._attaching: set[str] = set()  # on their way: not live yet, and not dead either
        self._declared: dict[str, Queue] = {}
        self._connection: aio_pika.abc.AbstractConnection | None = None
        self._control: Channel | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._up = asyncio.Event()
        self._stopping = False
        self._again = asyncio.Event()

    async def start(self) -> None:
        """Connect; keeps trying until the broker answers."""
        self._supervisor = asyncio.create_task(self._supervise(), name=f"bus {self._name}")
        up = asyncio.create_task(self._up.wait())
        await asyncio.wait({up, self._supervisor}, return_when=asyncio.FIRST_COMPLETED)
        if not self._up.is_set():
            up.cancel()
            await self._supervisor  # raises what ended it

    async def stop(self) -> None:
        """Handlers under way finish; then the connection is closed."""
        await asyncio.gather(*(consumer.stop() for consumer in self._consumers.values()))
        self._stopping = True
        self._again.set()
        if self._supervisor is not None:
            await self._supervisor
            self._supervisor = None

    async def publish(
        self,
        event: Event,
        records: Sequence[Record],
        *,
        lane: Lane | None = None,
        place: str | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> None:
        """Publish to the exchange of facts, in batches of at most 500 records."""
        key = event.key(lane, place)
        batches = [records[at : at + MAX_RECORDS] for at in range(0, len(records), MAX_RECORDS)]
        await self._publisher.publish(
            [Outgoing(EXCHANGE, key, encode(batch), event.name, headers, len(batch)) for batch in batches]
        )

    async def append(self, stream: str, bodies: Sequence[bytes], *, content_type: str) -> None:
        """Append to a stream through the default exchange."""
        await self._publisher.publish([Outgoing("", stream, body, "", content_type=content_type) for body in bodies])

    async def declare(self, queue: Queue) -> None:
        """Declare now if connected, and at each connection from now on."""
        self._declared[queue.name] = queue
        if self._up.is_set():
            await declare_queue(await self._control_channel(), queue)

    async def subscribe(self, subscription: Subscription) -> None:
        """Consume from now on, and again after each reconnection."""
        name = subscription.queue.name
        if name in self._consumers:
            raise ValueError(f"{name} has a consumer already")
        consumer = Consumer(subscription, self._publisher, self._temporary, self._events)
        self._consumers[name] = consumer
        if self._up.is_set():
            self._attaching.add(name)
            try:
                await self._attach(consumer)
            except Exception as error:  # noqa: BLE001  aiormq raises a bare one; the next connection attaches it
                log.warning("bus.attach_failed", name=self._name, queue=name, error=repr(error))
                self._again.set()
            finally:
                self._attaching.discard(name)

    async def unsubscribe(self, queue_name: str) -> None:
        """Finish what is under way and let the queue go."""
        consumer = self._consumers.pop(queue_name, None)
        if consumer is not None:
            await consumer.stop()

    def problems(self) -> dict[str, str]:
        """The connection and each consumer, looked at now."""
        if not self._up.is_set():
            return {"rabbitmq": "not connected"}
        return {
            f"queue {name}": "no live consumer" for name, consumer in self._consumers.items() if not consumer.is_live()
        }

    async def _attach(self, consumer: Consumer) -> None:
        assert self._connection is not None
        queue = consumer.queue
        if queue.transient:  # a new name: the broker may still hold the last one for a connection that it thinks lives
            queue = replace(queue, name=f"{queue.name}.{secrets.token_hex(4)}")
        await declare_queue(await self._control_channel(), queue)
        channel = await _open_channel(self._connection)
        await consumer.attach(channel, queue.name)

    async def _control_channel(self) -> Channel:
        if self._connection is None:
            raise ConnectionError("not connected to RabbitMQ")
        if self._control is None or self._control.is_closed:
            self._control = await _open_channel(self._connection)
        return self._control

    async def _supervise(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._stopping:
            try:
                self._connection = await aio_pika.connect(self._url, client_properties={"connection_name": self._name})
                self._control = await _open_channel(self._connection)
                await declare_topology(self._control)
                for queue in self._declared.values():
                    await declare_queue(self._control, queue)
                self._publisher.attach(await _open_channel(self._connection, confirms=True))
                for consumer in list(self._consumers.values()):
                    await self._attach(consumer)
                self._up.set()
                pause_s = _FIRST_PAUSE_S
                log.info("bus.connected", name=self._name, queues=len(self._consumers))
                await self._watch()
            except aio_pika.exceptions.ProbableAuthenticationError:
                raise
            except Exception as error:  # noqa: BLE001  whatever it is, a new connection is the remedy
                log.warning("bus.failed", name=self._name, error=repr(error))
            finally:
                await self._let_go()
            if not self._stopping:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _watch(self) -> None:
        """Return when the connection or anything on it has died, or when the bus is to stop."""
        assert self._connection is not None
        while not self._stopping:
            alive = (
                not self._connection.is_closed
                and self._publisher.is_live()
                and all(one.is_live() for name, one in self._consumers.items() if name not in self._attaching)
            )
            if not alive or self._again.is_set():
                self._again.clear()
                if not self._stopping:
                    log.warning("bus.lost", name=self._name)
                return
            try:
                await asyncio.wait_for(self._again.wait(), _WATCH_S)
            except TimeoutError:
                continue

    async def _let_go(self) -> None:
        self._up.clear()
        self._publisher.detach()
        for consumer in self._consumers.values():
            consumer.detach()
        connection, self._connection, self._control = self._connection, None, None
        if connection is not None:
            try:
                await asyncio.wait_for(connection.close(), 5)
            except Exception as error:  # noqa: BLE001  it is dead or dying: nothing more to do for it
                log.debug("bus.close_failed", error=repr(error))


async def _open_channel(connection: aio_pika.abc.AbstractConnection, *, confirms: bool = False) -> Channel:
    channel = await connection.channel(publisher_confirms=confirms)
    underlay = await channel.get_underlay_channel()
    assert isinstance(underlay, Channel)  # aio-pika's own is a thin layer; the hot path does without it
    return underlay
