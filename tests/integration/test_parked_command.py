"""`carillon parked` and `carillon migrate` against real servers, as a person types them."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from aiormq.channel import Channel

from carillon.bus import Delivery, Reject, Subscription
from carillon.bus.parked import Parked, Parking, open_parking
from carillon.bus.rabbit import RabbitBus
from carillon.bus.topology import DELIVERY_LIMIT, dispatcher_route
from carillon.events.catalogue import MESSAGE_ACCEPTED
from carillon.events.message import Accepted
from carillon.testing.builders import an_accepted
from carillon.testing.bus_contract import eventually
from carillon_cli.servers import Servers

pytestmark = pytest.mark.integration

QUEUE = dispatcher_route("bulk")
Carillon = Callable[..., Any]


@pytest.fixture
async def bus(vhost_url: str) -> AsyncIterator[RabbitBus]:
    bus = RabbitBus(vhost_url, name="test")
    await bus.start()
    yield bus
    await bus.stop()


@pytest.fixture
def carillon(
    servers: Servers, vhost_url: str, mongo_url: str, mongo_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> Carillon:
    """Run the command: (exit status, standard output, standard error)."""
    monkeypatch.setenv("CARILLON_AMQP_URL", vhost_url)
    monkeypatch.setenv("CARILLON_MANAGEMENT_URL", servers.management_url)
    monkeypatch.setenv("CARILLON_MONGO_URL", mongo_url)
    monkeypatch.setenv("CARILLON_MONGO_PREFIX", mongo_prefix)

    async def run(*words: str, answer: str = "") -> tuple[int, str, str]:
        ran = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "carillon_cli", *words],
            input=answer,
            capture_output=True,
            text=True,
            check=False,
        )
        return ran.returncode, ran.stdout, ran.stderr

    return run


class Handler:
    """Rejects everything until it is told that the cause is mended."""

    def __init__(self) -> None:
        self.mended = False
        self.refused: list[int] = []
        self.handled: list[int] = []

    async def __call__(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            for record in delivery.records:
                assert isinstance(record, Accepted)
                if not self.mended:
                    self.refused.append(record.id)
                    raise Reject("no price for +33612345678")
                self.handled.append(record.id)


async def park(bus: RabbitBus, count: int) -> tuple[Handler, list[Accepted]]:
    handler = Handler()
    await bus.subscribe(Subscription(QUEUE, handler))
    messages = [an_accepted(text="a secret") for _ in range(count)]
    for message in messages:
        await bus.publish(MESSAGE_ACCEPTED, [message], lane="bulk")
    await eventually(lambda: len(set(handler.refused)) == count)
    await bus.unsubscribe(QUEUE.name)
    handler.mended = True
    return handler, messages


async def test_listed_shown_and_replayed(bus: RabbitBus, carillon: Carillon) -> None:
    handler, messages = await park(bus, 5)
    status, listed, _ = await carillon("parked", "list", "--json")
    assert status == 0
    [row] = [row for row in json.loads(listed) if row["messages"]]
    assert (row["queue"], row["messages"], row["reason"]) == (QUEUE.name, 5, "no price for ***")
    assert row["oldest"].endswith("Z")

    _, shown, _ = await carillon("parked", "show", QUEUE.parked, "--limit", "2")
    assert shown.count("reason    no price for ***") == 2
    assert str(messages[0].id) in shown
    assert "a secret" not in shown
    assert messages[0].number not in shown
    _, clear, _ = await carillon("parked", "show", QUEUE.name, "--clear", "--json")
    described = json.loads(clear)
    assert [one["records"][0]["text"] for one in described] == ["a secret"] * 5
    assert described[0]["reason"] == "no price for +33612345678"
    by_id = {one["records"][0]["id"]: one["id"] for one in described}

    status, _, said = await carillon("parked", "replay", QUEUE.name)
    assert (status, "say which" in said) == (2, True)
    chosen = messages[3]
    status, said, _ = await carillon("parked", "replay", QUEUE.name, "--id", by_id[chosen.id])
    assert (status, said) == (0, f"1 put back into {QUEUE.name}\n")
    status, _, said = await carillon("parked", "replay", QUEUE.name, "--id", "abcdefabcdef")
    assert (status, "not parked there: abcdefabcdef" in said) == (1, True)
    await bus.subscribe(Subscription(QUEUE, handler))
    await eventually(lambda: handler.handled == [chosen.id])

    status, said, _ = await carillon("parked", "replay", QUEUE.name, "--limit", "1", "--drop", answer="n\n")
    assert (status, "never happen" in said) == (1, True)
    status, said, _ = await carillon("parked", "replay", QUEUE.name, "--limit", "1", "--drop", answer="y\n")
    assert (status, "1 discarded" in said) == (0, True)
    status, said, _ = await carillon("parked", "replay", QUEUE.name, "--all")
    assert (status, said) == (0, f"3 put back into {QUEUE.name}\n")
    await eventually(lambda: len(handler.handled) == 4)
    dropped = {message.id for message in messages} - set(handler.handled)
    assert len(dropped) == 1
    status, said, _ = await carillon("parked", "list")
    assert said.startswith("0 parked in ")


async def test_looking_again_and_again_loses_nothing(bus: RabbitBus, vhost_url: str) -> None:
    """A newer broker drops what was delivered 20 times from a queue without a limit: it is parked anew before."""
    _, messages = await park(bus, 3)
    async with open_parking(vhost_url) as parking:
        first = {parked.id for parked in await parking.look(QUEUE.name, 10)}
        seen: list[Parked] = []
        for _ in range(30):
            seen = await parking.look(QUEUE.name, 10)
            assert {parked.id for parked in seen} == first
        assert {json.loads(parked.body)[0]["id"] for parked in seen} == {message.id for message in messages}
        assert await _most_looks(parking) < 20


async def test_what_the_broker_parked_tells_its_deaths(bus: RabbitBus, vhost_url: str, carillon: Carillon) -> None:
    """Past the delivery limit: the whole batch is parked by the broker itself, and a replay brings it back whole."""
    messages = [an_accepted() for _ in range(3)]
    await bus.publish(MESSAGE_ACCEPTED, messages, lane="bulk")
    async with open_parking(vhost_url) as parking:
        await _wear_out(parking)
        async with asyncio.timeout(20):
            while not (found := await parking.look(QUEUE.name, 10)):
                await asyncio.sleep(0.1)
    [parked] = found
    assert parked.reason == "given up by the broker: delivery_limit"
    assert parked.deaths == (f"delivery_limit of {QUEUE.name}, 1 times",)
    assert parked.parked_at_ms is not None
    handler = Handler()
    handler.mended = True
    await bus.subscribe(Subscription(QUEUE, handler))
    assert (await carillon("parked", "replay", QUEUE.name, "--all"))[0] == 0
    await eventually(lambda: handler.handled == [message.id for message in messages])


async def test_a_queue_that_is_not_there_is_named(bus: RabbitBus, carillon: Carillon) -> None:
    status, _, said = await carillon("parked", "show", "dispatcher.nowhere")
    assert (status, said) == (1, "the broker has no queue dispatcher.nowhere.parked\n")


async def test_migrate_makes_what_check_misses(carillon: Carillon) -> None:
    status, said, _ = await carillon("migrate", "--check")
    assert status == 1
    assert "index accounts.accounts name_key_1__id_1: missing" in said
    status, said, _ = await carillon("migrate")
    assert (status, "0 migrations run" in said) == (0, True)
    assert (await carillon("migrate", "--check"))[:2] == (0, "0 pending\n")


async def _wear_out(parking: Parking) -> None:
    channel = await (await parking._connection.channel()).get_underlay_channel()
    assert isinstance(channel, Channel)
    for _ in range(DELIVERY_LIMIT + 1):
        async with asyncio.timeout(10):
            while (got := await channel.basic_get(QUEUE.name)).delivery_tag is None:
                await asyncio.sleep(0.02)
        await channel.basic_nack(got.delivery_tag, requeue=True)


async def _most_looks(parking: Parking) -> int:
    looks: list[int] = []

    async def note(message: Any, _parked: Parked) -> bool:
        looks.append(int((message.header.properties.headers or {}).get("x-delivery-count", 0)))
        return False

    await parking._visit(QUEUE.name, None, note)
    return max(looks)
