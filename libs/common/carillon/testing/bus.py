"""The bus in memory. It passes the contract suite that the real one passes (libs/common/tests/bus/contract.py)."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from carillon.bus.isolation import handle_isolated
from carillon.bus.port import Delivery, Subscription
from carillon.bus.publisher import Outgoing
from carillon.bus.topology import DURABLE_QUEUES, EXCHANGE, Queue
from carillon.events.base import MAX_RECORDS, Lane, Record
from carillon.events.catalogue import BY_NAME, Event
from carillon.events.codec import decode, encode

_RETRY_S = 0.05


@dataclass
class _Waiting:
    queue: Queue
    deliveries: deque[Delivery] = field(default_factory=deque)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)


class MemoryBus:
    """See `carillon.bus.port.Bus`. `said` holds everything that was published, `parked` what could not be handled."""

    def __init__(self, *, temporary: tuple[type[Exception], ...] = (ConnectionError, TimeoutError)) -> None:
        self.said: list[tuple[str, Record]] = []
        self.parked: dict[str, list[tuple[Record, str]]] = {}
        self.streams: dict[str, list[bytes]] = {}
        self._temporary = temporary
        self._queues: dict[str, _Waiting] = {queue.name: _Waiting(queue) for queue in DURABLE_QUEUES}
        self._workers: dict[str, list[asyncio.Task[None]]] = {}
        self._later: set[asyncio.TimerHandle] = set()
        self._attached: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Nothing to connect to."""

    async def stop(self) -> None:
        """End every subscription."""
        for handle in self._later:
            handle.cancel()
        for name in list(self._workers):
            await self.unsubscribe(name)

    async def publish(
        self,
        event: Event,
        records: Sequence[Record],
        *,
        lane: Lane | None = None,
        place: str | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> None:
        """Through the codec, as on the wire, to every queue that is bound."""
        for at in range(0, len(records), MAX_RECORDS):
            batch = records[at : at + MAX_RECORDS]
            self.said += [(event.name, record) for record in batch]
            await self._deliver(Outgoing(EXCHANGE, event.key(lane, place), encode(batch), event.name, headers))

    async def append(self, stream: str, bodies: Sequence[bytes], *, content_type: str) -> None:
        """Keep in order."""
        self.streams.setdefault(stream, []).extend(bodies)

    async def declare(self, queue: Queue) -> None:
        """Make a queue."""
        self._queues.setdefault(queue.name, _Waiting(queue))

    async def subscribe(self, subscription: Subscription) -> None:
        """Begin to consume."""
        queue = subscription.queue
        if queue.name in self._workers:
            raise ValueError(f"{queue.name} has a consumer already")
        self._queues.setdefault(queue.name, _Waiting(queue))
        self._workers[queue.name] = [
            asyncio.create_task(self._work(subscription)) for _ in range(subscription.concurrency)
        ]
        if subscription.on_attach is not None:
            task = asyncio.ensure_future(subscription.on_attach())
            self._attached.add(task)
            task.add_done_callback(self._attached.discard)

    async def unsubscribe(self, queue_name: str) -> None:
        """End; what is under way is given back."""
        workers = self._workers.pop(queue_name, [])
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    def problems(self) -> dict[str, str]:
        """A worker that died is one."""
        return {
            f"queue {name}": "no live consumer"
            for name, workers in self._workers.items()
            if any(worker.done() for worker in workers)
        }

    def records(self, event: Event) -> list[Record]:
        """What was said of one event, in order."""
        return [record for name, record in self.said if name == event.name]

    async def idle(self) -> None:
        """Return when nothing waits in any queue that has a consumer and nothing is being handled."""
        while any(waiting.deliveries and name in self._workers for name, waiting in self._queues.items()) or self._busy:
            await asyncio.sleep(0.001)

    _busy = 0

    async def _deliver(self, message: Outgoing) -> None:
        for waiting in self._queues.values():
            if message.key in waiting.queue.keys if message.exchange else message.key == waiting.queue.name:
                event = BY_NAME[message.type_]
                waiting.deliveries.append(Delivery(event, decode(event.record, message.body), message.headers or {}))
                waiting.arrived.set()

    async def _work(self, subscription: Subscription) -> None:
        waiting = self._queues[subscription.queue.name]
        while True:
            if not waiting.deliveries:
                waiting.arrived.clear()
                await waiting.arrived.wait()
                continue
            if subscription.max_wait_s:
                await asyncio.sleep(subscription.max_wait_s)
            batch = _take(waiting.deliveries, subscription.max_batch)
            if not batch:
                continue
            self._busy += 1
            try:
                await self._handle(subscription, batch)
            except BaseException:
                for delivery in reversed(batch):
                    delivery.redelivered = True
                    waiting.deliveries.appendleft(delivery)
                raise
            finally:
                self._busy -= 1

    async def _handle(self, subscription: Subscription, batch: Sequence[Delivery]) -> None:
        while True:
            try:
                await subscription.handler(batch)
                return
            except self._temporary:
                await asyncio.sleep(_RETRY_S)
            except Exception:  # noqa: BLE001  as on the real bus
                await handle_isolated(subscription, batch, _Bad(self), self._temporary)
                return

    async def put_bad(self, message: Outgoing) -> None:
        """Park, or deliver again a little later."""
        record = decode(BY_NAME[message.type_].record, message.body)[0]
        headers = message.headers or {}
        if message.key.endswith(".parked"):
            reason = str(headers.get("x-carillon-reason", ""))
            self.parked.setdefault(message.key.removesuffix(".parked"), []).append((record, reason))
            return
        name = message.key.partition(".retry.")[0]
        again = Outgoing("", name, message.body, message.type_, headers)
        loop = asyncio.get_running_loop()
        self._later.add(loop.call_later(_RETRY_S, lambda: loop.create_task(self._deliver(again))))


class _Bad:
    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        for message in messages:
            await self._bus.put_bad(message)


def _take(deliveries: deque[Delivery], max_batch: int) -> list[Delivery]:
    batch: list[Delivery] = []
    records = 0
    while deliveries and (not batch or records + len(deliveries[0].records) <= max_batch):
        batch.append(deliveries.popleft())
        records += len(batch[-1].records)
    return batch
