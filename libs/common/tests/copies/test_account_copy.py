"""The copy of the accounts, on a real database and the bus in memory."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest

from carillon.bus import Delivery, Subscription
from carillon.bus.topology import ACCOUNTS_COPIES
from carillon.copies import AccountCopy
from carillon.events.account import AccountChanged, AccountCopyRequested, ApiKey, Door
from carillon.events.catalogue import ACCOUNT_CHANGED, ACCOUNT_COPY_REQUESTED
from carillon.mongo import Database, Mongo, write_all
from carillon.mongo.bulk import replace_if_newer
from carillon.testing.builders import an_account
from carillon.testing.bus import MemoryBus
from carillon.testing.bus_contract import eventually

pytestmark = pytest.mark.integration

_ids = itertools.count(1)


@pytest.fixture
async def database(mongo_url: str, mongo_prefix: str) -> AsyncIterator[Database]:
    mongo = Mongo(mongo_url, prefix=mongo_prefix)
    await mongo.start()
    yield mongo.database("ingest")
    await mongo.stop()


@pytest.fixture
async def bus() -> AsyncIterator[MemoryBus]:
    bus = MemoryBus()
    yield bus
    await bus.stop()


@pytest.fixture
async def copy(bus: MemoryBus, database: Database) -> AsyncIterator[AccountCopy]:
    copy = _copy(bus, database)
    await copy.start()
    yield copy
    await copy.stop()


def _copy(bus: MemoryBus, database: Database) -> AccountCopy:
    return AccountCopy(bus, database, service="ingest", process=f"p{next(_ids)}")


async def _say(bus: MemoryBus, *accounts: AccountChanged) -> None:
    await bus.publish(ACCOUNT_CHANGED, accounts)
    await bus.idle()


async def test_what_is_said_is_found_by_id_by_door_and_by_key(copy: AccountCopy, bus: MemoryBus) -> None:
    account = an_account(doors=[Door(name="shop")], api_keys=[ApiKey(id="key_1", hash="ab" * 32)])
    await _say(bus, account)
    assert copy.by_id("acc_1") == account
    assert copy.by_door("shop") == (account, account.doors[0])
    assert copy.by_api_key_hash("ab" * 32) == (account, account.api_keys[0])
    assert list(copy.all()) == [account]


async def test_nobody_is_found_before_anything_is_said(copy: AccountCopy) -> None:
    assert (copy.by_id("acc_1"), copy.by_door("test"), copy.by_api_key_hash("00" * 32)) == (None, None, None)


async def test_the_highest_version_wins_in_any_order(copy: AccountCopy, bus: MemoryBus) -> None:
    versions = [an_account(version=number, name=f"v{number}") for number in (2, 1, 3, 2)]
    for account in versions:
        await _say(bus, account)
    known = copy.by_id("acc_1")
    assert known is not None
    assert known.name == "v3"


async def test_a_door_and_a_key_that_are_gone_are_not_found(copy: AccountCopy, bus: MemoryBus) -> None:
    await _say(bus, an_account(version=1), an_account(version=2, doors=[], api_keys=[]))
    assert copy.by_door("test") is None
    assert copy.by_api_key_hash("00" * 32) is None


async def test_a_door_that_moved_is_found_with_its_new_account_in_either_order(
    copy: AccountCopy, bus: MemoryBus
) -> None:
    before = an_account(id="acc_a", version=1)
    given_up = an_account(id="acc_a", version=2, doors=[], api_keys=[])
    taken = an_account(id="acc_b", version=2, api_keys=[])
    await _say(bus, before, taken, given_up)
    found = copy.by_door("test")
    assert found is not None
    assert found[0].id == "acc_b"


async def test_listeners_hear_what_is_new_and_one_that_fails_disturbs_nobody(copy: AccountCopy, bus: MemoryBus) -> None:
    heard: list[int] = []

    def fail(account: AccountChanged) -> None:
        raise RuntimeError("listener")

    copy.on_change(fail)
    copy.on_change(lambda account: heard.append(account.version))
    await _say(bus, an_account(version=1), an_account(version=1), an_account(version=2))
    assert heard == [1, 2]
    assert not bus.parked


async def test_it_asks_for_everything_when_it_begins_to_listen(bus: MemoryBus, database: Database) -> None:
    account = an_account(version=4)

    async def answer(deliveries: Sequence[Delivery]) -> None:
        asked = [record for delivery in deliveries for record in delivery.records]
        assert all(isinstance(record, AccountCopyRequested) and record.service == "ingest" for record in asked)
        await bus.publish(ACCOUNT_CHANGED, [account])

    await bus.subscribe(Subscription(ACCOUNTS_COPIES, answer))
    copy = _copy(bus, database)
    await copy.start()
    await eventually(lambda: copy.by_id("acc_1") == account)
    assert len(bus.records(ACCOUNT_COPY_REQUESTED)) == 1
    await copy.stop()


async def test_the_next_start_serves_what_the_last_one_heard(bus: MemoryBus, database: Database) -> None:
    account = an_account(version=3)
    first = _copy(bus, database)
    await first.start()
    await _say(bus, an_account(version=2), account)
    await first.stop()
    second = _copy(MemoryBus(), database)
    await second.start()
    assert second.by_id("acc_1") == account
    assert second.by_door("test") == (account, account.doors[0])
    await second.stop()


async def test_what_was_heard_is_saved_without_waiting_for_the_stop(
    copy: AccountCopy, bus: MemoryBus, database: Database
) -> None:
    await _say(bus, an_account(version=3))
    async with asyncio.timeout(5):
        while await database["accounts"].find_one({"_id": "acc_1", "version": 3}) is None:
            await asyncio.sleep(0.05)


async def test_two_processes_share_a_database_and_the_newer_version_stays(database: Database, bus: MemoryBus) -> None:
    ahead_bus, behind_bus = MemoryBus(), MemoryBus()
    ahead, behind = _copy(ahead_bus, database), _copy(behind_bus, database)
    await ahead.start()
    await behind.start()
    await _say(ahead_bus, an_account(version=5, name="new"))
    await ahead.stop()
    await _say(behind_bus, an_account(version=4, name="old"))
    await behind.stop()
    third = _copy(bus, database)
    await third.start()
    known = third.by_id("acc_1")
    assert known is not None
    assert (known.version, known.name) == (5, "new")
    await third.stop()


async def test_memory_stays_up_to_date_while_the_database_is_away_and_the_database_catches_up(
    bus: MemoryBus, database: Database
) -> None:
    copy = _copy(bus, database)
    await copy.start()
    nowhere = Mongo("mongodb://127.0.0.1:1/")
    working, copy._collection = copy._collection, nowhere.database("ingest")["accounts"]
    await _say(bus, an_account(version=1))
    await _say(bus, an_account(version=2))
    known = copy.by_id("acc_1")
    assert known is not None
    assert known.version == 2
    copy._collection = working
    await copy.stop()
    saved = await database["accounts"].find_one({"_id": "acc_1"})
    await nowhere.stop()
    assert saved is not None
    assert saved["version"] == 2


async def test_a_document_that_cannot_be_read_holds_up_nothing(bus: MemoryBus, database: Database) -> None:
    await database["accounts"].insert_many(
        [
            {"_id": "acc_0", "version": 1, "account": {"id": 7}},
            {"_id": "acc_1", "version": 1, "account": msgspec.to_builtins(an_account())},
            {"_id": "acc_2", "version": 1},
        ]
    )
    copy = _copy(bus, database)
    await copy.start()
    assert [account.id for account in copy.all()] == ["acc_1"]
    await copy.stop()


async def test_many_accounts_are_saved_in_batches(copy: AccountCopy, bus: MemoryBus, database: Database) -> None:
    accounts = [
        an_account(id=f"acc_{number}", doors=[Door(name=f"door-{number}")], api_keys=[]) for number in range(1_234)
    ]
    await _say(bus, *accounts)
    assert sum(1 for _ in copy.all()) == 1_234
    await copy.stop()
    assert await database["accounts"].count_documents({}) == 1_234


async def test_replace_if_newer_keeps_the_highest_version_of_any_order(database: Database) -> None:
    fields = {"account": {"name": "$name", "$odd": {"a.b": 1}, "list": [1, {"x": None}], "none": None}}
    for order in itertools.permutations([1, 2, 3]):
        key = "".join(map(str, order))
        for version in order:
            await write_all(database["copies"], [replace_if_newer(key, version, {**fields, "n": version})])
        found = await database["copies"].find_one({"_id": key})
        assert found == {"_id": key, "version": 3, "n": 3, **fields}


async def test_replace_if_newer_holds_when_many_write_the_same_new_document_at_once(database: Database) -> None:
    await asyncio.gather(
        *(write_all(database["copies"], [replace_if_newer("new", version, {"n": version})]) for version in range(1, 30))
    )
    assert await database["copies"].find_one({"_id": "new"}) == {"_id": "new", "version": 29, "n": 29}


async def test_replace_if_newer_twice_in_one_batch_keeps_the_newest(database: Database) -> None:
    await write_all(database["copies"], [replace_if_newer("both", version, {"n": version}) for version in (2, 5, 3, 5)])
    assert await database["copies"].find_one({"_id": "both"}) == {"_id": "both", "version": 5, "n": 5}
