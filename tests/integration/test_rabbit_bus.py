"""The bus on a real RabbitMQ: the contract, parking, poison, and recovery from what a broker does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import aio_pika
import pytest
from aiormq.channel import Channel

from carillon.bus import Bus, Delivery, Subscription
from carillon.bus.declare import declare_topology
from carillon.bus.rabbit import RabbitBus
from carillon.bus.topology import DELIVERY_LIMIT, EXCHANGE, Queue
from carillon.events.catalogue import MESSAGE_ACCEPTED
from carillon.testing.builders import an_accepted
from carillon.testing.bus_contract import CLAUSES, QUEUE, Kept, a_bad_record_holds_up_nothing_else, eventually

pytestmark = pytest.mark.integration


@pytest.fixture
async def bus(vhost_url: str) -> AsyncIterator[RabbitBus]:
    bus = RabbitBus(vhost_url, name="test")
    await bus.start()
    yield bus
    await bus.stop()


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.__name__)
async def test_contract(bus: RabbitBus, clause: Callable[[Bus], Awaitable[None]]) -> None:
    await clause(bus)


async def _parked(url: str, name: str) -> tuple[bytes, dict[str, object]]:
    connection = await aio_pika.connect(url)
    async with connection:
        queue = await (await connection.channel()).get_queue(name)
        async with asyncio.timeout(20):
            while True:
                message = await queue.get(fail=False)
                if message is not None:
                    await message.ack()
                    return message.body, dict(message.headers)
                await asyncio.sleep(0.1)


async def test_bad_record_is_parked_with_its_reason(bus: RabbitBus, vhost_url: str) -> None:
    [bad] = await a_bad_record_holds_up_nothing_else(bus)
    body, headers = await _parked(vhost_url, QUEUE.parked)
    assert str(getattr(bad, "id", None)).encode() in body
    assert headers["x-carillon-reason"] == "not this one"


async def test_unreadable_message_is_parked(bus: RabbitBus, vhost_url: str) -> None:
    kept = Kept()
    await bus.subscribe(Subscription(QUEUE, kept))
    connection = await aio_pika.connect(vhost_url)
    async with connection:
        exchange = await (await connection.channel()).get_exchange(EXCHANGE)
        message = aio_pika.Message(b'[{"id": "seven"}]', type=MESSAGE_ACCEPTED.name)
        await exchange.publish(message, MESSAGE_ACCEPTED.key("bulk"))
    await bus.publish(MESSAGE_ACCEPTED, [an_accepted()], lane="bulk")
    await eventually(lambda: len(kept.records) == 1)
    body, headers = await _parked(vhost_url, QUEUE.parked)
    assert body == b'[{"id": "seven"}]'
    assert "id" in str(headers["x-carillon-reason"])


async def test_consumer_that_crashes_for_ever_ends_in_parking(vhost_url: str) -> None:
    """Past the delivery limit the broker itself parks the message, whatever happens to us."""
    connection = await aio_pika.connect(vhost_url)
    async with connection:
        channel = await connection.channel()
        underlay = await channel.get_underlay_channel()
        assert isinstance(underlay, Channel)
        await declare_topology(underlay)
        exchange = await channel.get_exchange(EXCHANGE)
        message = aio_pika.Message(b"[]", type=MESSAGE_ACCEPTED.name, delivery_mode=2)
        await exchange.publish(message, MESSAGE_ACCEPTED.key("bulk"))
        queue = await channel.get_queue(QUEUE.name)
        for _ in range(DELIVERY_LIMIT + 1):
            async with asyncio.timeout(10):
                while (got := await queue.get(fail=False)) is None:
                    await asyncio.sleep(0.02)
            await got.nack(requeue=True)
    body, headers = await _parked(vhost_url, QUEUE.parked)
    assert body == b"[]"
    assert "delivery_limit" in str(headers["x-death"])


async def test_consumer_recovers_when_the_broker_cancels_it(bus: RabbitBus, vhost_url: str) -> None:
    kept = Kept()
    await bus.subscribe(Subscription(QUEUE, kept))
    connection = await aio_pika.connect(vhost_url)
    async with connection:
        await (await connection.channel()).queue_delete(QUEUE.name)
    await eventually(bus.problems)
    await eventually(lambda: not bus.problems())
    await bus.publish(MESSAGE_ACCEPTED, [an_accepted()], lane="bulk")
    await eventually(lambda: len(kept.records) == 1)


async def test_a_consumer_on_its_way_is_not_taken_for_a_dead_one(
    vhost_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watch looks in the middle of each attachment, and must not throw the connection away."""
    monkeypatch.setattr("carillon.bus.rabbit._WATCH_S", 0.0005)
    bus = RabbitBus(vhost_url, name="test")
    await bus.start()
    connection = bus._connection
    for number in range(5):
        await bus.subscribe(Subscription(Queue(f"test.{number}", ()), Kept()))
    assert bus._connection is connection
    assert not bus.problems()
    await bus.stop()


async def test_everything_recovers_when_the_broker_closes_the_connection(
    bus: RabbitBus, close_connections: Callable[[], Awaitable[None]]
) -> None:
    """What was published meanwhile is confirmed in the end; what was being handled is delivered again."""
    kept = Kept()
    slow = asyncio.Event()

    async def handler(deliveries: Sequence[Delivery]) -> None:
        await slow.wait()
        await kept(deliveries)

    await bus.subscribe(Subscription(QUEUE, handler))
    first, second = an_accepted(), an_accepted()
    await bus.publish(MESSAGE_ACCEPTED, [first], lane="bulk")
    await close_connections()
    await eventually(bus.problems)
    publishing = asyncio.create_task(bus.publish(MESSAGE_ACCEPTED, [second], lane="bulk"))
    slow.set()
    await asyncio.wait_for(publishing, 20)
    await eventually(lambda: first in kept.records and second in kept.records)
    assert not bus.problems()
