"""STOP wins: contacts and dispatchers between a real RabbitMQ, a real MongoDB and an operator over SMPP."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from tests.integration.suppression_rig import HASH, Rig, inbound, suppressions
from tests.integration.test_dispatcher import Bench, operators_file

from carillon.bus.rabbit import RabbitBus
from carillon.copies import SuppressionCopy
from carillon.events.catalogue import INBOUND_ATTRIBUTED
from carillon.mongo import TEMPORARY_ERRORS
from carillon.testing.builders import an_accepted
from carillon.testing.bus_contract import eventually
from carillon.testing.operator import ScriptedOperator
from contacts.suppressions.domain import Change

pytestmark = pytest.mark.integration

ACCOUNT = "acc_one"
NUMBERS = [f"3361234567{place}" for place in range(4)]


@pytest.fixture
async def operator() -> AsyncIterator[ScriptedOperator]:
    operator = ScriptedOperator()
    await operator.start()
    yield operator
    await operator.stop()


@pytest.fixture
async def bench(vhost_url: str, mongo_url: str, mongo_prefix: str) -> AsyncIterator[Bench]:
    bench = Bench(vhost_url, mongo_url, mongo_prefix)
    bench.numbers = HASH
    await bench.start()
    yield bench
    await bench.stop()


class Contacts:
    """The contacts service: started and stopped at will."""

    def __init__(self, amqp_url: str, mongo_url: str, prefix: str) -> None:
        self._where = amqp_url, mongo_url, prefix
        self._stack = AsyncExitStack()

    async def start(self) -> Rig:
        amqp_url, mongo_url, prefix = self._where
        bus = RabbitBus(amqp_url, name="contacts", temporary=TEMPORARY_ERRORS)
        await bus.start()
        self._stack.push_async_callback(bus.stop)
        return await self._stack.enter_async_context(suppressions(mongo_url, prefix, bus))

    async def stop(self) -> None:
        await self._stack.aclose()


@pytest.fixture
async def contacts(vhost_url: str, mongo_url: str, mongo_prefix: str) -> AsyncIterator[Contacts]:
    contacts = Contacts(vhost_url, mongo_url, mongo_prefix)
    yield contacts
    await contacts.stop()


def stop_of(number: str) -> Change:
    return Change(
        id=f"chg_{number}", account=ACCOUNT, number=number, reason="stop", source="stop", evidence="test", at=1_000
    )


def sent_to(operator: ScriptedOperator, number: str) -> int:
    return sum(submit.dest_addr == number for submit in operator.submits)


async def test_nothing_leaves_a_second_after_a_stop_in_the_middle_of_a_backlog(
    bench: Bench, operator: ScriptedOperator, contacts: Contacts
) -> None:
    rig = await contacts.start()
    await bench.dispatcher(operators_file(operator, window=10, tps=100))
    messages = [an_accepted(account=ACCOUNT, number=NUMBERS[place % 4]) for place in range(800)]
    await bench.say(messages)
    await eventually(lambda: sent_to(operator, NUMBERS[0]) >= 20)
    await rig.room.change.apply([stop_of(NUMBERS[0])])
    committed_s = time.monotonic()
    # and one that comes the long way, as a text from the handset
    await bench.bus.publish(INBOUND_ATTRIBUTED, [inbound(1, "STOP", NUMBERS[1], at=2_000)])
    await asyncio.sleep(committed_s + 1.0 - time.monotonic())
    after_a_second = [sent_to(operator, number) for number in NUMBERS]
    assert max(after_a_second[:2]) < 150, "the backlog was gone before the STOP could be tested"
    await eventually(lambda: len(bench.heard.submitted()) + len(bench.heard.refused()) == 800, 60)
    assert [sent_to(operator, number) for number in NUMBERS] == [*after_a_second[:2], 200, 200]
    assert Counter(refused.code for refused in bench.heard.refused()) == {"suppressed": 400 - sum(after_a_second[:2])}
    ended = [submitted.id for submitted in bench.heard.submitted()] + [refused.id for refused in bench.heard.refused()]
    assert sorted(ended) == sorted(message.id for message in messages)


async def test_a_stop_that_was_said_while_no_dispatcher_ran_is_known_before_the_first_submit(
    bench: Bench, operator: ScriptedOperator, contacts: Contacts
) -> None:
    rig = await contacts.start()
    await rig.room.change.apply([stop_of(NUMBERS[0])])
    first = await bench.dispatcher(operators_file(operator))
    await eventually(lambda: operator.binds)
    await first.aclose()
    await rig.room.change.apply([stop_of(NUMBERS[1])])
    await bench.say([an_accepted(account=ACCOUNT, number=number) for number in NUMBERS])
    await bench.dispatcher(operators_file(operator))
    await eventually(lambda: len(bench.heard.submitted()) + len(bench.heard.refused()) == 4)
    assert {submit.dest_addr for submit in operator.submits} == set(NUMBERS[2:])


async def test_the_copy_on_disk_serves_when_contacts_is_away(
    bench: Bench, operator: ScriptedOperator, contacts: Contacts
) -> None:
    rig = await contacts.start()
    await rig.room.change.apply([stop_of(NUMBERS[0]), stop_of(NUMBERS[1])])
    lift = Change(id="chg_l", account=ACCOUNT, number=NUMBERS[1], reason=None, source="api", at=2_000)
    first = await bench.dispatcher(operators_file(operator))
    await rig.room.change.apply([lift])
    kept = bench.mongo.database("dispatcher")["suppressions"]
    async with asyncio.timeout(15):
        while not await kept.count_documents({"out": False}):
            await asyncio.sleep(0.05)
    await first.aclose()
    await contacts.stop()
    await bench.say([an_accepted(account=ACCOUNT, number=number) for number in NUMBERS])
    began_s = time.monotonic()
    await bench.dispatcher(operators_file(operator))
    await eventually(lambda: len(bench.heard.submitted()) + len(bench.heard.refused()) == 4, 20)
    assert {submit.dest_addr for submit in operator.submits} == set(NUMBERS[1:])
    assert time.monotonic() - began_s >= 2.5  # it waited for contacts as long as it has patience


async def test_a_message_that_has_begun_is_not_cut_in_half(
    bench: Bench, operator: ScriptedOperator, contacts: Contacts
) -> None:
    rig = await contacts.start()
    await bench.dispatcher(operators_file(operator, window=1, tps=2))
    long_one = an_accepted(account=ACCOUNT, number=NUMBERS[0], text="a" * 600, parts=4)
    await bench.say([long_one, an_accepted(account=ACCOUNT, number=NUMBERS[0])])
    await eventually(lambda: len(operator.submits) == 1)
    await rig.room.change.apply([stop_of(NUMBERS[0])])
    await eventually(lambda: len(bench.heard.refused()) == 1, 20)
    assert len([submitted for submitted in bench.heard.submitted() if submitted.id == long_one.id]) == 4
    assert len(operator.submits) == 4


async def test_what_is_heard_how_soon(bench: Bench, contacts: Contacts, vhost_url: str) -> None:
    """An opt-out is in a dispatcher's memory well within the second, a hundred times in a row."""
    rig = await contacts.start()
    bus = RabbitBus(vhost_url, name="copy", temporary=TEMPORARY_ERRORS)
    copy = SuppressionCopy(bus, bench.mongo.database("dispatcher"), HASH, service="dispatcher", process="p")
    await bus.start()
    await copy.start()
    try:
        await eventually(lambda: not copy.holds)
        took_ms = []
        for place in range(100):
            number = f"336550000{place:02d}"
            began_s = time.monotonic()
            applying = asyncio.create_task(rig.room.change.apply([stop_of(number)]))
            while not copy.has(ACCOUNT, number):
                await asyncio.sleep(0.001)
            took_ms.append((time.monotonic() - began_s) * 1000)
            await applying
        took_ms.sort()
        print(f"\nrequest to dispatcher's memory: median {took_ms[50]:.1f} ms, worst {took_ms[-1]:.1f} ms")  # noqa: T201
        assert took_ms[-1] < 1_000
    finally:
        await copy.stop()
        await bus.stop()


async def test_a_lost_connection_holds_and_catches_up(
    bench: Bench, contacts: Contacts, vhost_url: str, close_connections: object
) -> None:
    """Whatever was said while the ear was gone is asked for, and until it has come nothing may leave."""
    rig = await contacts.start()
    bus = RabbitBus(vhost_url, name="copy", temporary=TEMPORARY_ERRORS)
    copy = SuppressionCopy(bus, bench.mongo.database("dispatcher"), HASH, service="dispatcher", process="p")
    await bus.start()
    await copy.start()
    try:
        await eventually(lambda: not copy.holds)
        assert callable(close_connections)
        async with asyncio.timeout(30):
            while not copy.holds:  # the broker's list of connections, from which they are closed, comes late
                await close_connections()
                await asyncio.sleep(0.2)
        await rig.room.change.apply([stop_of(NUMBERS[0])])
        await eventually(lambda: not copy.holds, 20)
        await eventually(lambda: copy.has(ACCOUNT, NUMBERS[0]), 20)
    finally:
        await copy.stop()
        await bus.stop()
