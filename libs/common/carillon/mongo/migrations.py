"""Numbered changes of what is stored, run once each, in order, by one process at a time.

A service lists its migrations beside its indexes (`Schema`). What has been run is in `carillon.migrations`, one
document each: `{_id: "receipt/0001", name, started_at, finished_at, mark, runs}`. A migration that was cut short is run
again from its last mark, so it must bear doing a piece twice; and while it runs, processes of the release before and
after it are at work on the same documents (docs/upgrades.md).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from carillon.mongo.client import Collection, Database, Document, Mongo
from carillon.mongo.indexes import Index
from carillon.mongo.leases import Lease, Leases

_LEASE = "migrations"
_LEASE_S = 30.0
_RENEW_S = 10.0
_LOOK_S = 1.0


class MigrationError(Exception):
    """Migrations can't be run; the text says what to do."""


class Progress:
    """Where a migration stands. `mark` is what its last run saved, None at the first."""

    def __init__(self, collection: Collection, id_: str, mark: Any) -> None:
        self._collection = collection
        self._id = id_
        self.mark = mark

    async def save(self, mark: Any) -> None:
        """Remember that everything up to `mark` is done: the next run begins there."""
        await self._collection.update_one({"_id": self._id}, {"$set": {"mark": mark}})
        self.mark = mark


@dataclass(frozen=True, slots=True)
class Migration:
    """`number` counts from 1 within its service; neither it nor `name` changes once it has been released."""

    number: int
    name: str
    run: Callable[[Database, Progress], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Schema:
    """What one service keeps in its database: the indexes by collection, and the migrations in order."""

    database: str
    indexes: Mapping[str, Sequence[Index]]
    migrations: Sequence[Migration] = ()

    def __post_init__(self) -> None:
        numbers = [migration.number for migration in self.migrations]
        if numbers != list(range(1, len(numbers) + 1)):
            raise MigrationError(f"{self.database}: migrations are numbered 1, 2, 3 and so on in order, not {numbers}")


@dataclass(frozen=True, slots=True)
class Standing:
    """The migrations of all schemas: finished here, still to be run, and known to a newer release only."""

    finished: Sequence[str]
    pending: Sequence[str]
    newer: Sequence[str]


class Migrations:
    """Runs what is pending of these schemas, in their order. `owner` names this process in the lease."""

    def __init__(self, mongo: Mongo, schemas: Sequence[Schema], owner: str) -> None:
        self._mongo = mongo
        self._schemas = schemas
        database = mongo.database("carillon")
        self._collection = database["migrations"]
        self._leases = Leases(database["leases"], owner, _LEASE_S)

    async def standing(self) -> Standing:
        """What has been run and what has not; `MigrationError` when a released migration has changed its name."""
        known = {_id(schema, migration): migration for schema in self._schemas for migration in schema.migrations}
        done: dict[str, Document] = {document["_id"]: document async for document in self._collection.find()}
        for id_, document in done.items():
            if id_ in known and known[id_].name != document["name"]:
                raise MigrationError(
                    f"{id_} was run here as {document['name']!r} and is {known[id_].name!r} in this release: "
                    "a migration that was released keeps its number and its name; give the new one the next number"
                )
        finished = [id_ for id_ in known if done.get(id_, {}).get("finished_at")]
        pending = [id_ for id_ in known if id_ not in finished]
        return Standing(finished, pending, sorted(done.keys() - known.keys()))

    async def run(self, say: Callable[[str], None], *, wait_s: float = 600.0) -> int:
        """Run all that is pending and return how many that were. Another process at it is waited for.

        `MigrationError` when it takes longer than `wait_s` to get the lease, or when the lease was lost on the way.
        """
        if not (await self.standing()).pending:
            return 0
        count = 0
        async with self._alone(say, wait_s):
            for schema in self._schemas:
                for migration in schema.migrations:
                    count += await self._run_one(schema, migration, say)
        return count

    async def _run_one(self, schema: Schema, migration: Migration, say: Callable[[str], None]) -> bool:
        id_ = _id(schema, migration)
        found = await self._collection.find_one({"_id": id_})
        if found and found.get("finished_at"):
            return False
        mark = found.get("mark") if found else None
        say(f"{id_} {migration.name}" + ("" if mark is None else f", from {mark} on"))
        started = {"name": migration.name, "started_at": {"$ifNull": ["$started_at", "$$NOW"]}}
        runs = {"$add": [{"$ifNull": ["$runs", 0]}, 1]}
        await self._collection.update_one({"_id": id_}, [{"$set": {**started, "runs": runs}}], upsert=True)
        await migration.run(self._mongo.database(schema.database), Progress(self._collection, id_, mark))
        await self._collection.update_one({"_id": id_}, [{"$set": {"finished_at": "$$NOW"}}])
        return True

    @contextlib.asynccontextmanager
    async def _alone(self, say: Callable[[str], None], wait_s: float) -> AsyncIterator[None]:
        lease = await self._take(say, wait_s)
        body = asyncio.current_task()
        assert body is not None
        keeper = asyncio.create_task(self._keep(lease, body))
        try:
            yield
        except asyncio.CancelledError:
            if lease.is_held():
                raise
            body.uncancel()
            raise MigrationError("the lease was lost on the way: run it again, it goes on where it stopped") from None
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            if lease.is_held():
                await self._leases.release(lease)

    async def _take(self, say: Callable[[str], None], wait_s: float) -> Lease:
        deadline_s = asyncio.get_running_loop().time() + wait_s
        said = False
        while (lease := await self._leases.acquire(_LEASE)) is None:
            if asyncio.get_running_loop().time() > deadline_s:
                raise MigrationError(f"another process has been running migrations for more than {wait_s:.0f} s")
            if not said:
                say("another process runs migrations: waiting for it")
            said = True
            await asyncio.sleep(_LOOK_S)
        return lease

    async def _keep(self, lease: Lease, body: asyncio.Task[Any]) -> None:
        """Renew until it is lost; then the body is stopped, since another may have begun."""
        while True:
            await asyncio.sleep(_RENEW_S)
            try:
                kept = await self._leases.renew(lease)
            except Exception:  # noqa: BLE001  the database is away for a moment: it is ours until it runs out
                kept = lease.is_held()
            if not kept:
                body.cancel()
                return


def _id(schema: Schema, migration: Migration) -> str:
    return f"{schema.database}/{migration.number:04d}"
