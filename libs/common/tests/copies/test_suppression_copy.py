"""The copy of the suppressions, on a real database and the bus in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import permutations

import pytest
from pydantic import SecretStr

from carillon.copies import SuppressionCopy
from carillon.events.audience import OptedIn, OptedOut, SuppressionCopyRequested, SuppressionsCopied
from carillon.events.base import Record
from carillon.events.catalogue import CONTACT_COPIED, CONTACT_COPY_REQUESTED, CONTACT_OPTED_IN, CONTACT_OPTED_OUT
from carillon.mongo import Database, Mongo
from carillon.runtime.number_hash import NumberHash
from carillon.testing.bus import MemoryBus
from carillon.testing.bus_contract import eventually

pytestmark = pytest.mark.integration

HASH = NumberHash(SecretStr("k" * 32))
NUMBER = "33612345678"
THROUGH = 5_000_000


@pytest.fixture
async def database(mongo_url: str, mongo_prefix: str) -> AsyncIterator[Database]:
    mongo = Mongo(mongo_url, prefix=mongo_prefix)
    await mongo.start()
    yield mongo.database("dispatcher")
    await mongo.stop()


@pytest.fixture
async def bus() -> AsyncIterator[MemoryBus]:
    bus = MemoryBus()
    yield bus
    await bus.stop()


@asynccontextmanager
async def copy_of(bus: MemoryBus, database: Database, patience_s: float = 60.0) -> AsyncIterator[SuppressionCopy]:
    copy = SuppressionCopy(bus, database, HASH, service="dispatcher", process="p", patience_s=patience_s)
    await copy.start()
    await eventually(lambda: requests(bus))
    yield copy
    await copy.stop()


def requests(bus: MemoryBus) -> list[SuppressionCopyRequested]:
    return [each for each in bus.records(CONTACT_COPY_REQUESTED) if isinstance(each, SuppressionCopyRequested)]


def out(version: int = 1, number: str = NUMBER, *, erased: bool = False) -> OptedOut:
    hash_ = HASH.of("acc_1", number).hex()
    return OptedOut(
        account="acc_1", number="" if erased else number, hash=hash_, version=version, source="stop", at=version
    )


def back(version: int, number: str = NUMBER) -> OptedIn:
    hash_ = HASH.of("acc_1", number).hex()
    return OptedIn(account="acc_1", number=number, hash=hash_, version=version, source="start", at=version)


async def say(bus: MemoryBus, *records: Record) -> None:
    for record in records:
        await bus.publish(CONTACT_OPTED_OUT if isinstance(record, OptedOut) else CONTACT_OPTED_IN, [record])
    await bus.idle()


async def answer(bus: MemoryBus, through: int = THROUGH) -> None:
    await bus.publish(CONTACT_COPIED, [SuppressionsCopied(requests=[requests(bus)[-1].request], through=through)])
    await bus.idle()


async def test_it_holds_until_the_answer_has_come(bus: MemoryBus, database: Database) -> None:
    async with copy_of(bus, database) as copy:
        assert copy.holds
        assert requests(bus)[0].since == 0
        await bus.publish(CONTACT_COPIED, [SuppressionsCopied(requests=["scr_of_another"], through=1)])
        await bus.idle()
        assert copy.holds
        await say(bus, out(), out(number="33687654321", erased=True))
        await answer(bus)
        assert not copy.holds
        assert (copy.has("acc_1", NUMBER), copy.has("acc_1", "33687654321")) == (True, True)
        assert (copy.has("acc_2", NUMBER), copy.has("acc_1", "33600000000")) == (False, False)


async def test_it_loses_patience(bus: MemoryBus, database: Database) -> None:
    async with copy_of(bus, database, patience_s=0.05) as copy:
        assert copy.holds
        await eventually(lambda: not copy.holds)


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_the_highest_version_counts_in_any_order(
    bus: MemoryBus, database: Database, order: tuple[int, ...]
) -> None:
    said = [out(1), back(2), out(3)]
    async with copy_of(bus, database) as copy:
        await say(bus, *(said[place] for place in order))
        assert copy.has("acc_1", NUMBER)
        assert len(copy) == 1
        await say(bus, back(4), out(3), out(1), back(2))
        assert not copy.has("acc_1", NUMBER)
    async with copy_of(bus, database) as copy:
        assert not copy.has("acc_1", NUMBER)
        await say(bus, out(3))
        assert not copy.has("acc_1", NUMBER)


async def test_the_next_start_knows_what_was_heard_and_asks_for_the_rest(bus: MemoryBus, database: Database) -> None:
    async with copy_of(bus, database):
        await say(bus, *(out(number=f"336{place:08d}") for place in range(1_200)))
        await answer(bus)
    async with copy_of(bus, database) as copy:
        assert len(copy) == 1_200
        assert copy.has("acc_1", "33600000777")
        await eventually(lambda: len(requests(bus)) == 2)
        assert requests(bus)[-1].since == THROUGH - 600_000


async def test_a_copy_that_was_never_whole_asks_for_everything_again(bus: MemoryBus, database: Database) -> None:
    async with copy_of(bus, database):
        await say(bus, out())
    async with copy_of(bus, database) as copy:
        assert copy.has("acc_1", NUMBER)
        await eventually(lambda: len(requests(bus)) == 2)
        assert requests(bus)[-1].since == 0
