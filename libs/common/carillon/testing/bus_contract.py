"""What every bus must do. Each function is one clause; test_memory_bus and test_rabbit_bus run them all."""

import asyncio
from collections.abc import Callable, Sequence

from carillon.bus import Bus, Defer, Delivery, Queue, Reject, Subscription
from carillon.bus.topology import dispatcher_route
from carillon.events.base import Record
from carillon.events.catalogue import MESSAGE_ACCEPTED
from carillon.events.message import Accepted
from carillon.testing.builders import an_accepted

QUEUE = dispatcher_route("bulk")


async def eventually(check: Callable[[], object], within_s: float = 15.0) -> None:
    """Wait until `check()` is true; `TimeoutError` when it never is."""
    async with asyncio.timeout(within_s):
        while not check():
            await asyncio.sleep(0.01)


class Kept:
    """A handler that keeps what it gets."""

    def __init__(self) -> None:
        self.batches: list[list[Record]] = []

    async def __call__(self, deliveries: Sequence[Delivery]) -> None:
        """Keep."""
        self.batches.append([record for delivery in deliveries for record in delivery.records])

    @property
    def records(self) -> list[Record]:
        """All of them, in order."""
        return [record for batch in self.batches for record in batch]


async def what_is_published_is_handled_in_order(bus: Bus) -> None:
    """Order and batch size."""
    sent = [an_accepted() for _ in range(1_203)]
    await bus.publish(MESSAGE_ACCEPTED, sent, lane="bulk")
    kept = Kept()
    await bus.subscribe(Subscription(QUEUE, kept))
    await eventually(lambda: len(kept.records) == len(sent))
    assert kept.records == sent
    assert max(map(len, kept.batches)) <= 500


async def batches_hold_several_deliveries(bus: Bus) -> None:
    """`max_batch` and `max_wait_s`."""
    sent = [an_accepted() for _ in range(40)]
    for record in sent:
        await bus.publish(MESSAGE_ACCEPTED, [record], lane="bulk")
    kept = Kept()
    await bus.subscribe(Subscription(QUEUE, kept, max_batch=25, max_wait_s=0.1))
    await eventually(lambda: len(kept.records) == 40)
    assert [len(batch) for batch in kept.batches] == [25, 15]


async def lanes_do_not_mix(bus: Bus) -> None:
    """A lane has its own queue."""
    urgent, bulk = Kept(), Kept()
    await bus.subscribe(Subscription(dispatcher_route("urgent"), urgent))
    await bus.subscribe(Subscription(dispatcher_route("bulk"), bulk))
    await bus.publish(MESSAGE_ACCEPTED, [an_accepted(lane="urgent")], lane="urgent")
    await bus.publish(MESSAGE_ACCEPTED, [an_accepted(), an_accepted()], lane="bulk")
    await eventually(lambda: len(urgent.records) == 1 and len(bulk.records) == 2)


async def a_bad_record_holds_up_nothing_else(bus: Bus) -> list[Record]:
    """Returns the records that must be parked."""
    good = [an_accepted() for _ in range(9)]
    bad = an_accepted(number="33600000000")
    kept = Kept()

    async def handler(deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            for record in delivery.records:
                assert isinstance(record, Accepted)
                if record.number == bad.number:
                    raise Reject("not this one")
        await kept(deliveries)

    await bus.subscribe(Subscription(QUEUE, handler))
    await bus.publish(MESSAGE_ACCEPTED, [*good[:5], bad, *good[5:]], lane="bulk")
    await eventually(lambda: len(kept.records) == 9)
    assert kept.records == good
    return [bad]


async def a_deferred_record_comes_back(bus: Bus) -> None:
    """`Defer`."""
    kept = Kept()
    attempts = 0

    async def handler(deliveries: Sequence[Delivery]) -> None:
        nonlocal attempts
        attempts += 1
        if attempts <= 2:  # in the batch, and alone
            raise Defer("not yet")
        await kept(deliveries)

    record = an_accepted()
    await bus.subscribe(Subscription(QUEUE, handler))
    await bus.publish(MESSAGE_ACCEPTED, [record], lane="bulk")
    await eventually(lambda: kept.records == [record], within_s=45)


async def a_server_that_is_away_is_waited_for(bus: Bus) -> None:
    """Nothing is parked or deferred, whatever the number of tries."""
    kept = Kept()
    left = 3

    async def handler(deliveries: Sequence[Delivery]) -> None:
        nonlocal left
        left -= 1
        if left > 0:
            raise ConnectionError("the database is away")
        await kept(deliveries)

    sent = [an_accepted() for _ in range(5)]
    await bus.subscribe(Subscription(QUEUE, handler))
    await bus.publish(MESSAGE_ACCEPTED, sent, lane="bulk")
    await eventually(lambda: kept.records == sent)


async def what_was_not_handled_is_delivered_again(bus: Bus) -> None:
    """No acknowledgement before the handler is done."""
    started = asyncio.Event()

    async def never_ends(_: Sequence[Delivery]) -> None:
        started.set()
        raise ConnectionError("until the consumer is stopped")

    record = an_accepted()
    await bus.subscribe(Subscription(QUEUE, never_ends))
    await bus.publish(MESSAGE_ACCEPTED, [record], lane="bulk")
    await asyncio.wait_for(started.wait(), 10)
    await bus.unsubscribe(QUEUE.name)
    seen: list[Delivery] = []

    async def keep(deliveries: Sequence[Delivery]) -> None:
        seen.extend(deliveries)

    await bus.subscribe(Subscription(QUEUE, keep))
    await eventually(lambda: seen)
    assert seen[0].records == [record]
    assert seen[0].redelivered


async def several_batches_are_under_way_at_once(bus: Bus) -> None:
    """`concurrency`."""
    at_once = most = 0
    done: list[Record] = []

    async def handler(deliveries: Sequence[Delivery]) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.05)
        at_once -= 1
        done.extend(record for delivery in deliveries for record in delivery.records)

    for _ in range(8):
        await bus.publish(MESSAGE_ACCEPTED, [an_accepted()], lane="bulk")
    await bus.subscribe(Subscription(QUEUE, handler, max_batch=1, concurrency=4))
    await eventually(lambda: len(done) == 8)
    assert most == 4


async def a_queue_may_be_declared_before_anybody_consumes_it(bus: Bus) -> None:
    """`declare`."""
    queue = Queue("dispatcher.submit.north.bulk", ("message.accepted.v1.north.bulk",))
    await bus.declare(queue)
    record = an_accepted()
    await bus.publish(MESSAGE_ACCEPTED, [record], lane="bulk", place="north")
    kept = Kept()
    await bus.subscribe(Subscription(queue, kept))
    await eventually(lambda: kept.records == [record])


CLAUSES = (
    what_is_published_is_handled_in_order,
    batches_hold_several_deliveries,
    lanes_do_not_mix,
    a_server_that_is_away_is_waited_for,
    what_was_not_handled_is_delivered_again,
    several_batches_are_under_way_at_once,
    a_queue_may_be_declared_before_anybody_consumes_it,
    a_deferred_record_comes_back,
)
