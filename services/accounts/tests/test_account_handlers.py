"""A change is durable, said once it is durable, and said later when something died in between: on a real database."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any

import pytest

from accounts.domain import changes
from accounts.domain.account import Account, ApiKey, Door
from accounts.domain.errors import ConflictError, UnknownError
from accounts.handlers import ChangeAccount, SayAll, SayPending
from accounts.store import AccountStore
from carillon.bus import BusDownError, Subscription
from carillon.bus.topology import ACCOUNTS_COPIES
from carillon.events.account import AccountChanged, AccountCopyRequested
from carillon.events.base import Lane, Record
from carillon.events.catalogue import ACCOUNT_CHANGED, ACCOUNT_COPY_REQUESTED, Event
from carillon.mongo import Database, Mongo
from carillon.testing.bus import MemoryBus
from carillon.testing.clock import START_MS, ManualClock

pytestmark = pytest.mark.integration


class BrokenBus(MemoryBus):
    """A bus whose broker may be away (`down`) or never confirm (`silent`)."""

    down = False
    silent = False

    async def publish(
        self,
        event: Event,
        records: Sequence[Record],
        *,
        lane: Lane | None = None,
        place: str | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> None:
        """As the real bus does it."""
        if self.silent:
            await asyncio.sleep(60)
        if self.down:
            raise BusDownError("no broker")
        await super().publish(event, records, lane=lane, place=place, headers=headers)


@pytest.fixture
async def database(mongo_url: str, mongo_prefix: str) -> AsyncIterator[Database]:
    mongo = Mongo(mongo_url, prefix=mongo_prefix)
    await mongo.start()
    database = mongo.database("accounts")
    await AccountStore(database).start()
    yield database
    await mongo.stop()


@pytest.fixture
def store(database: Database) -> AccountStore:
    return AccountStore(database)


@pytest.fixture
async def bus() -> AsyncIterator[BrokenBus]:
    bus = BrokenBus()
    yield bus
    await bus.stop()


@pytest.fixture
def change(store: AccountStore, bus: BrokenBus) -> ChangeAccount:
    return ChangeAccount(store, bus, ManualClock(), say_timeout_s=0.2)


def _account(id_: str = "acc_1", **fields: Any) -> Account:
    return Account(**{"id": id_, "name": "Shop", "created_at": START_MS, "changed_at": START_MS, **fields})


def _door(name: str) -> Door:
    return Door(name=name, addresses=("192.0.2.7",), created_at=START_MS)


def _rename(name: str) -> partial[Account]:
    return partial(changes.with_fields, fields={"name": name})


def _said(bus: MemoryBus) -> list[tuple[str, int]]:
    return [
        (record.id, record.version) for record in bus.records(ACCOUNT_CHANGED) if isinstance(record, AccountChanged)
    ]


async def _pending(database: Database) -> list[str]:
    found = database["accounts"].find({"pending": {"$exists": True}}).sort("_id", 1)
    return [document["_id"] async for document in found]


async def test_what_is_stored_is_read_back_the_same(store: AccountStore) -> None:
    account = _account(
        doors=(_door("shop"), _door("bakery")),
        api_keys=(ApiKey(id="key_1", hash="ab" * 32, hint="wxyz", created_at=START_MS, expires_at=START_MS + 1),),
    )
    await store.add(account)
    assert await store.find("acc_1") == account
    assert await store.find_by_key_hash("ab" * 32) == account
    assert await store.find("acc_2") is None
    assert await store.find_by_key_hash("cd" * 32) is None


async def test_each_change_is_a_version_that_is_said_and_no_longer_pending(
    change: ChangeAccount, bus: BrokenBus, database: Database
) -> None:
    await change.add(_account())
    changed = await change.apply("acc_1", _rename("Bakery"))
    assert (changed.version, changed.name) == (2, "Bakery")
    assert _said(bus) == [("acc_1", 1), ("acc_1", 2)]
    assert bus.records(ACCOUNT_CHANGED)[-1] == changed.as_event()
    assert await _pending(database) == []


async def test_a_change_that_changes_nothing_is_no_version(change: ChangeAccount, bus: BrokenBus) -> None:
    await change.add(_account())
    assert (await change.apply("acc_1", _rename("Shop"))).version == 1
    assert _said(bus) == [("acc_1", 1)]


async def test_an_unknown_account_is_not_changed(change: ChangeAccount, bus: BrokenBus) -> None:
    with pytest.raises(UnknownError):
        await change.apply("acc_9", _rename("Bakery"))
    assert _said(bus) == []


async def test_a_refused_change_leaves_no_trace(change: ChangeAccount, store: AccountStore, bus: BrokenBus) -> None:
    account = await change.add(_account(state="closed"))
    with pytest.raises(ConflictError):
        await change.apply("acc_1", _rename("Bakery"))
    assert await store.find("acc_1") == account
    assert _said(bus) == [("acc_1", 1)]


async def test_many_processes_change_one_account_and_no_change_is_lost(
    store: AccountStore, bus: BrokenBus, database: Database
) -> None:
    processes = [ChangeAccount(AccountStore(database), bus, ManualClock()) for _ in range(8)]
    await processes[0].add(_account())
    await asyncio.gather(
        *(
            process.apply("acc_1", partial(changes.with_door, door=_door(f"door-{number}")))
            for number, process in enumerate(processes)
        )
    )
    account = await store.find("acc_1")
    assert account is not None
    assert account.version == 9
    assert {door.name for door in account.doors} == {f"door-{number}" for number in range(8)}
    assert {version for _, version in _said(bus)} == set(range(1, 10))
    assert await _pending(database) == []


async def test_a_door_name_is_unique_over_all_accounts_whoever_is_first(
    change: ChangeAccount, store: AccountStore
) -> None:
    for number in range(6):
        await change.add(_account(f"acc_{number}"))
    results = await asyncio.gather(
        *(change.apply(f"acc_{number}", partial(changes.with_door, door=_door("shop"))) for number in range(6)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Account) for result in results) == 1
    refused = [result for result in results if isinstance(result, ConflictError)]
    assert [error.code for error in refused] == ["door_name_taken"] * 5
    assert [len(account.doors) for account in await store.page(name=None, after=None, limit=10)].count(1) == 1


async def test_a_door_name_is_free_again_when_its_door_is_gone(change: ChangeAccount) -> None:
    for id_ in ("acc_1", "acc_2"):
        await change.add(_account(id_))
    await change.apply("acc_1", partial(changes.with_door, door=_door("shop")))
    await change.apply("acc_1", partial(changes.without_door, name="shop"))
    taken = await change.apply("acc_2", partial(changes.with_door, door=_door("shop")))
    assert taken.doors[0].name == "shop"


@pytest.mark.parametrize("trouble", ["down", "silent"])
async def test_a_change_while_the_broker_is_away_is_made_and_said_by_the_sweeper(
    change: ChangeAccount, store: AccountStore, bus: BrokenBus, database: Database, trouble: str
) -> None:
    await change.add(_account())
    setattr(bus, trouble, True)
    assert (await change.apply("acc_1", _rename("Bakery"))).version == 2
    assert await _pending(database) == ["acc_1"]
    setattr(bus, trouble, False)
    await SayPending(store, bus).sweep()
    assert _said(bus) == [("acc_1", 1), ("acc_1", 2)]
    assert await _pending(database) == []
    await SayPending(store, bus).sweep()
    assert len(_said(bus)) == 2


async def test_what_a_crash_between_write_and_publish_left_is_said_by_the_sweeper(
    store: AccountStore, bus: BrokenBus, database: Database
) -> None:
    await store.add(_account())
    await store.said("acc_1", 1)
    assert await store.replace(_account(version=2, name="Bakery"), expected=1)
    await SayPending(store, bus).sweep()
    assert _said(bus) == [("acc_1", 2)]
    assert await _pending(database) == []


async def test_a_newer_change_stays_pending_when_an_older_one_is_confirmed(
    store: AccountStore, database: Database
) -> None:
    await store.add(_account())
    assert await store.replace(_account(version=2), expected=1)
    await store.said("acc_1", 1)
    assert await _pending(database) == ["acc_1"]


async def test_a_write_with_an_old_version_is_refused(store: AccountStore) -> None:
    await store.add(_account())
    assert await store.replace(_account(version=2, name="first"), expected=1)
    assert not await store.replace(_account(version=2, name="second"), expected=1)
    found = await store.find("acc_1")
    assert found is not None
    assert found.name == "first"


async def test_copies_are_said_from_the_database_in_batches(store: AccountStore, bus: BrokenBus) -> None:
    await asyncio.gather(*(store.add(_account(f"acc_{number:04}")) for number in range(1_001)))
    await bus.subscribe(Subscription(ACCOUNTS_COPIES, SayAll(store, bus).handle))
    await bus.publish(ACCOUNT_COPY_REQUESTED, [AccountCopyRequested(service="ingest", at=START_MS)])
    async with asyncio.timeout(10):
        while len(_said(bus)) < 1_001:
            await asyncio.sleep(0.01)
    assert sorted({id_ for id_, _ in _said(bus)}) == [f"acc_{number:04}" for number in range(1_001)]


async def test_pages_go_in_order_and_find_by_the_beginning_of_the_name_in_any_case(store: AccountStore) -> None:
    names = ("Boulangerie", "Boucher", "boulon", "b.*", "\u00c9picerie")
    for number, name in enumerate(names):
        await store.add(_account(f"acc_{number}", name=name))

    async def found(name: str | None, after: str | None = None, limit: int = 10) -> list[str]:
        return [account.name for account in await store.page(name=name, after=after, limit=limit)]

    assert await found(None) == list(names)
    assert await found("BOUL") == ["Boulangerie", "boulon"]
    assert await found("b.") == ["b.*"]
    assert await found("\u00e9pi") == ["\u00c9picerie"]
    assert await found(None, limit=2) == ["Boulangerie", "Boucher"]
    assert await found(None, after="acc_1", limit=2) == ["boulon", "b.*"]


async def test_what_a_later_release_has_added_is_neither_read_nor_lost(
    store: AccountStore, change: ChangeAccount, database: Database
) -> None:
    account = _account()
    await store.add(account)
    await database["accounts"].update_one({"_id": "acc_1"}, {"$set": {"credit_micros": 7}})
    assert await store.find("acc_1") == account
    await change.apply("acc_1", _rename("Bakery"))
    found = await database["accounts"].find_one({"_id": "acc_1"})
    assert found is not None
    assert (found["credit_micros"], found["name"]) == (7, "Bakery")
