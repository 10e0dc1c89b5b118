"""Migrations on a real MongoDB: once each, in order, by one process, and on from where a crash has left them."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest

from carillon.mongo import (
    Database,
    Index,
    IndexProblem,
    Migration,
    MigrationError,
    Migrations,
    Mongo,
    Progress,
    Schema,
    compare_indexes,
    ensure_indexes,
)
from carillon_cli.databases import schemas
from carillon_cli.services import SERVICES, load

pytestmark = pytest.mark.integration

COUNT = 30


class CrashedError(Exception):
    """The process died here."""


@pytest.fixture
async def mongo(mongo_url: str, mongo_prefix: str) -> AsyncIterator[Mongo]:
    mongo = Mongo(mongo_url, prefix=mongo_prefix, app="test")
    await mongo.start()
    yield mongo
    await mongo.stop()


def runner(mongo: Mongo, *given: Schema) -> Migrations:
    return Migrations(mongo, given, secrets.token_hex(4))


def silent(_line: str) -> None:
    """Say nothing."""


class Doubling:
    """A test migration: doubles every document's `value`, in pieces of ten, and may die in the middle of one."""

    def __init__(self, die_at: int | None = None) -> None:
        self.die_at = die_at
        self.touched: list[int] = []

    async def __call__(self, database: Database, progress: Progress) -> None:
        for first in range(progress.mark or 0, COUNT, 10):
            for number in range(first, first + 10):
                if number == self.die_at:
                    raise CrashedError
                self.touched.append(number)
                await database["things"].update_one(
                    {"_id": number, "doubled": {"$exists": False}},  # so that a piece may be done twice
                    [{"$set": {"value": {"$multiply": ["$value", 2]}, "doubled": True}}],
                )
            await progress.save(first + 10)


async def values(mongo: Mongo) -> list[int]:
    return [document["value"] async for document in mongo.database("shop")["things"].find().sort("_id")]


async def test_each_runs_once_and_in_order(mongo: Mongo) -> None:
    ran: list[str] = []

    def noting(name: str) -> Migration:
        async def run(_database: Database, _progress: Progress) -> None:
            ran.append(name)

        return Migration(int(name[-1]), name, run)

    shop, depot = Schema("shop", {}, [noting("shop 1"), noting("shop 2")]), Schema("depot", {}, [noting("depot 1")])
    assert (await runner(mongo, shop, depot).standing()).pending == ["shop/0001", "shop/0002", "depot/0001"]
    assert await runner(mongo, shop, depot).run(silent) == 3
    assert ran == ["shop 1", "shop 2", "depot 1"]
    assert await runner(mongo, shop, depot).run(silent) == 0
    longer = Schema("shop", {}, [*shop.migrations, noting("shop 3")])
    assert (await runner(mongo, longer, depot).standing()).pending == ["shop/0003"]
    assert await runner(mongo, longer, depot).run(silent) == 1
    assert ran == ["shop 1", "shop 2", "depot 1", "shop 3"]
    # the release before this one finds a migration that it does not know, and nothing to do
    before = await runner(mongo, shop, depot).standing()
    assert (before.newer, before.pending) == (["shop/0003"], [])


async def test_it_goes_on_where_a_crash_has_left_it(mongo: Mongo) -> None:
    await mongo.database("shop")["things"].insert_many([{"_id": number, "value": number} for number in range(COUNT)])
    with pytest.raises(CrashedError):
        await runner(mongo, Schema("shop", {}, [Migration(1, "double", Doubling(die_at=17))])).run(silent)
    again, said = Doubling(), list[str]()
    schema = Schema("shop", {}, [Migration(1, "double", again)])
    assert (await runner(mongo, schema).standing()).pending == ["shop/0001"]
    assert await runner(mongo, schema).run(said.append) == 1
    assert said == ["shop/0001 double, from 10 on"]
    assert again.touched == list(range(10, COUNT))
    assert await values(mongo) == [2 * number for number in range(COUNT)]
    [document] = [found async for found in mongo.database("carillon")["migrations"].find()]
    assert document["runs"] == 2
    assert document["finished_at"] > document["started_at"]


async def test_two_processes_run_it_once(mongo: Mongo) -> None:
    running = 0

    async def slow(_database: Database, _progress: Progress) -> None:
        nonlocal running
        running += 1
        assert running == 1
        await asyncio.sleep(0.5)

    schema, said = Schema("shop", {}, [Migration(1, "slow", slow)]), list[str]()
    done = await asyncio.gather(*(runner(mongo, schema).run(said.append) for _ in range(3)))
    assert sorted(done) == [0, 0, 1]
    assert "another process runs migrations: waiting for it" in said


async def test_a_process_that_lost_its_lease_stops(mongo: Mongo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carillon.mongo.migrations._RENEW_S", 0.1)
    stopped = asyncio.Event()

    async def endless(_database: Database, _progress: Progress) -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            stopped.set()
            raise

    running = asyncio.create_task(runner(mongo, Schema("shop", {}, [Migration(1, "endless", endless)])).run(silent))
    leases = mongo.database("carillon")["leases"]
    async with asyncio.timeout(10):
        while not await leases.find_one({"_id": "migrations"}):
            await asyncio.sleep(0.02)
    await leases.update_one({"_id": "migrations"}, {"$set": {"owner": "another"}, "$inc": {"token": 1}})
    with pytest.raises(MigrationError, match="run it again"):
        await asyncio.wait_for(running, 10)
    assert stopped.is_set()


async def test_a_released_migration_keeps_its_name(mongo: Mongo) -> None:
    async def nothing(_database: Database, _progress: Progress) -> None:
        return

    await runner(mongo, Schema("shop", {}, [Migration(1, "first", nothing)])).run(silent)
    with pytest.raises(MigrationError, match="next number"):
        await runner(mongo, Schema("shop", {}, [Migration(1, "other", nothing)])).run(silent)
    with pytest.raises(MigrationError, match="numbered"):
        Schema("shop", {}, [Migration(2, "second", nothing)])


async def test_indexes_are_compared_with_their_declaration(mongo: Mongo) -> None:
    database = mongo.database("shop")
    kept = Index(("at",), expire_after_s=60)
    await ensure_indexes(database, {"things": [kept, Index(("a", "-b"), unique=True), Index(("old",))]})
    wanted = {"things": [Index(("at",), expire_after_s=90), Index(("a", "-b"), unique=True)], "new": [Index(("n",))]}
    assert await compare_indexes(database, wanted) == [
        IndexProblem("new", "n_1", "missing"),
        IndexProblem("things", "at_1", "differs"),
        IndexProblem("things", "old_1", "undeclared"),
    ]


async def test_every_service_declares_exactly_the_indexes_that_it_makes(
    mongo: Mongo, vhost_url: str, mongo_url: str, mongo_prefix: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """A service whose database.py forgets an index fails here: start them all, then compare."""
    operators = tmp_path / "operators.toml"
    operators.write_text(
        '[[operators]]\nname = "north"\nkind = "smpp"\nhost = "127.0.0.1"\nport = 1\n'
        'system_id = "a"\npassword = "b"\n[[routes]]\nprefix = ""\noperators = [{ name = "north" }]\n'
    )
    settings = {
        "AMQP_URL": vhost_url,
        "MONGO_URL": mongo_url,
        "MONGO_PREFIX": mongo_prefix,
        "OPERATORS_FILE": str(operators),
        "ADMIN_TOKEN": "token",
        "TEST_PAYMENTS": "true",  # its collections are declared, and made where it is in use
        "SIMULATOR_SMPP_PORT": "0",
        "NUMBER_HASH_KEY": "a-key-of-the-test-and-nobody-elses",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"CARILLON_{name}", value)
    for name in SERVICES:
        service = load(name)
        for part in service.parts:
            await part.start()
        for part in reversed(service.parts):
            await part.stop()
    for schema in schemas():
        assert await compare_indexes(mongo.database(schema.database), schema.indexes) == []
    databases = {
        name.removeprefix(mongo_prefix)
        for name in await mongo.client.list_database_names()
        if name.startswith(mongo_prefix)
    }
    assert databases <= {schema.database for schema in schemas()}
