"""Old and new processes at once on one queue: neither loses nor blames what the other says."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aio_pika
import msgspec
import pytest

from carillon.bus import Delivery, Subscription, unread
from carillon.bus.rabbit import RabbitBus
from carillon.bus.topology import EXCHANGE, Queue
from carillon.events.base import Record
from carillon.events.catalogue import BY_NAME, MESSAGE_REFUSED, Event
from carillon.events.message import Refused
from carillon.testing.bus_contract import eventually

pytestmark = pytest.mark.integration


class RefusedAgain(Record, kw_only=True):
    """A second version of `message.refused`: the code has become a list, which the first one's readers can't read."""

    id: int
    account: str
    codes: list[str]
    at: int


V1 = MESSAGE_REFUSED
V2 = Event(
    "message.refused.v2", RefusedAgain, V1.said_by, V1.heard_by, True, RefusedAgain(id=1, account="a", codes=[], at=1)
)
KNOWN_TO_NEW = {**BY_NAME, V2.name: V2}
# a queue keeps its name from one release to the next; the new one binds the new event to it as well
OLD = Queue("test.refused", (V1.key("bulk"),))
NEW = Queue("test.refused", (V1.key("bulk"), V2.key("bulk")))


class Kept:
    """A handler that knows both versions, and keeps `(id, codes)` of either."""

    def __init__(self) -> None:
        self.records: list[tuple[int, list[str]]] = []

    async def __call__(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            for record in delivery.records:
                if isinstance(record, RefusedAgain):
                    self.records.append((record.id, record.codes))
                else:
                    assert isinstance(record, Refused)
                    self.records.append((record.id, [record.code]))


@pytest.fixture
async def old(vhost_url: str) -> AsyncIterator[RabbitBus]:
    bus = RabbitBus(vhost_url, name="old")
    await bus.start()
    yield bus
    await bus.stop()


@pytest.fixture
async def new(vhost_url: str) -> AsyncIterator[RabbitBus]:
    bus = RabbitBus(vhost_url, name="new", events=KNOWN_TO_NEW)
    await bus.start()
    yield bus
    await bus.stop()


def v1(place: int) -> Refused:
    return Refused(id=place, account="acc_demo", code="no_route", at=1_795_000_000_010)


def v2(place: int) -> RefusedAgain:
    return RefusedAgain(id=place, account="acc_demo", codes=["no_route", "expired"], at=1_795_000_000_010)


async def test_both_versions_in_one_queue_with_old_and_new_consumers(old: RabbitBus, new: RabbitBus) -> None:
    """Whatever the old process is handed of the new version reaches the new one; everything is handled once."""
    by_old, by_new = Kept(), Kept()
    await old.subscribe(Subscription(OLD, by_old))
    await new.subscribe(Subscription(NEW, by_new))
    for place in range(1, 41):
        await old.publish(V1, [v1(place)], lane="bulk")
        await new.publish(V2, [v2(1_000 + place)], lane="bulk")
    await eventually(lambda: len(by_old.records) + len(by_new.records) == 80, within_s=60)
    assert all(codes == ["no_route"] for _, codes in by_old.records)
    assert {id_ for id_, codes in by_new.records if codes == ["no_route", "expired"]} == set(range(1_001, 1_041))
    assert {id_ for id_, _ in (*by_old.records, *by_new.records)} == {*range(1, 41), *range(1_001, 1_041)}


async def test_what_only_a_newer_release_knows_waits_for_it(old: RabbitBus, vhost_url: str) -> None:
    """The new release said it and was taken back; v1 goes on meanwhile, and the next try of the release reads it."""
    by_old, by_new = Kept(), Kept()
    await old.declare(NEW)  # as the new release has left the bindings
    await old.subscribe(Subscription(OLD, by_old))
    await old.publish(V2, [v2(7)], lane="bulk")
    await old.publish(V1, [v1(8)], lane="bulk")
    await eventually(lambda: by_old.records == [(8, ["no_route"])])
    async with asyncio.timeout(20):
        while not await _waiting(vhost_url, OLD.retry):
            await asyncio.sleep(0.05)
    await old.unsubscribe(OLD.name)
    new = RabbitBus(vhost_url, name="new", events=KNOWN_TO_NEW)
    await new.start()
    await new.subscribe(Subscription(NEW, by_new))
    await eventually(lambda: by_new.records == [(7, ["no_route", "expired"])], within_s=20)
    assert await _waiting(vhost_url, OLD.parked) == 0
    await new.stop()


async def test_past_the_patience_it_is_parked_with_its_reason(
    old: RabbitBus, vhost_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unread, "UNKNOWN_PATIENCE_S", 1)
    await old.declare(NEW)
    await old.subscribe(Subscription(OLD, Kept()))
    await old.publish(V2, [v2(7)], lane="bulk")
    async with asyncio.timeout(20):
        while not await _waiting(vhost_url, OLD.parked):
            await asyncio.sleep(0.1)
    connection = await aio_pika.connect(vhost_url)
    async with connection:
        message = await (await (await connection.channel()).get_queue(OLD.parked)).get()
        assert message is not None
        assert message.type == V2.name
        assert msgspec.json.decode(message.body)[0]["id"] == 7
        assert message.headers["x-carillon-reason"] == "unknown event 'message.refused.v2'"


async def test_unknown_fields_are_ignored(old: RabbitBus, vhost_url: str) -> None:
    """Within a version a newer process may add fields that have a default."""
    kept = Kept()
    await old.subscribe(Subscription(OLD, kept))
    wider: dict[str, Any] = {**msgspec.to_builtins(v1(9)), "since": 12, "more": {"of": ["it"]}}
    connection = await aio_pika.connect(vhost_url)
    async with connection:
        exchange = await (await connection.channel()).get_exchange(EXCHANGE)
        await exchange.publish(aio_pika.Message(msgspec.json.encode([wider]), type=V1.name), V1.key("bulk"))
    await eventually(lambda: kept.records == [(9, ["no_route"])])


async def _waiting(url: str, queue: str) -> int:
    connection = await aio_pika.connect(url)
    async with connection:
        declared = await (await connection.channel()).declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0
