"""What a service sees of the bus. `RabbitBus` is the real one, `carillon.testing.bus.MemoryBus` keeps its contract."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from carillon.bus.topology import Queue
from carillon.events.base import Lane, Record
from carillon.events.catalogue import Event


class BusDownError(ConnectionError):
    """The broker did not confirm in time. The batch may or may not be there: publish the same ids again."""


class Reject(Exception):  # noqa: N818  a word of the trade: defer, reject
    """Raised by a handler: this record can never be handled. It is parked at once, with this reason."""


class Defer(Exception):  # noqa: N818
    """Raised by a handler: not now. The record comes back after the queue's retry delay; the count is kept."""


@dataclass(slots=True)
class Delivery:
    """One message from the broker: a batch of 1 to 500 records of one event."""

    event: Event
    records: list[Record]
    headers: Mapping[str, Any] = field(default_factory=dict)
    redelivered: bool = False


Handler = Callable[[Sequence[Delivery]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A queue and what handles it.

    The handler gets deliveries of up to `max_batch` records together (at least one delivery), after waiting at most
    `max_wait_s` for more; `linger_s` is waited too, but only while busy, that is right after another batch. What it
    was given is acknowledged when it returns. `concurrency` batches are under way at once; `prefetch` counts
    deliveries that the broker hands over unacknowledged. `span` names the span that each traced message gets.
    `on_attach` is run, in the background, each time that consuming begins, also after a reconnection; `on_detach` is
    called when the connection was lost.
    """

    queue: Queue
    handler: Handler
    span: str = "queue.handle"
    max_batch: int = 500
    max_wait_s: float = 0.0
    linger_s: float = 0.0
    prefetch: int = 200
    concurrency: int = 1
    on_attach: Callable[[], Awaitable[None]] | None = None
    on_detach: Callable[[], None] | None = None


class Bus(Protocol):
    """Publishes facts and runs subscriptions."""

    async def start(self) -> None:
        """Connect, declare the topology, begin to consume."""
        ...

    async def stop(self) -> None:
        """Let the handlers under way finish, then disconnect. What was not handled goes back to its queue."""
        ...

    async def publish(
        self,
        event: Event,
        records: Sequence[Record],
        *,
        lane: Lane | None = None,
        place: str | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> None:
        """Say an event. Returns when the broker has confirmed every batch of it; `BusDownError` when it did not."""
        ...

    async def append(self, stream: str, bodies: Sequence[bytes], *, content_type: str) -> None:
        """Append messages to a stream, in order. Returns when they are confirmed."""
        ...

    async def declare(self, queue: Queue) -> None:
        """Make a durable queue that is not in the topology's table, now and after each reconnection."""
        ...

    async def subscribe(self, subscription: Subscription) -> None:
        """Begin to consume a queue; its durable queues are declared first. May be called before `start`."""
        ...

    async def unsubscribe(self, queue_name: str) -> None:
        """Stop consuming: the handler under way finishes, the rest goes back to the queue."""
        ...

    def problems(self) -> dict[str, str]:
        """What is wrong, by name: the connection, or a queue without its live consumer. Empty: all is well."""
        ...
