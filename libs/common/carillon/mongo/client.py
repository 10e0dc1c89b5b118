"""One client a process. Majority write concern and read concern come with the URL or are set here."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from motor.motor_asyncio import (
    AsyncIOMotorClient,
    AsyncIOMotorClientSession,
    AsyncIOMotorCollection,
    AsyncIOMotorDatabase,
)
from pymongo import ReadPreference
from pymongo.errors import ConnectionFailure, ExecutionTimeout, WTimeoutError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from carillon.mongo.measure import Measure

Document = dict[str, Any]
Database = AsyncIOMotorDatabase[Document]
Collection = AsyncIOMotorCollection[Document]
Session = AsyncIOMotorClientSession

T = TypeVar("T")

# a server is away or changing its primary: the same write will do later, and all our writes bear being done again
TEMPORARY_ERRORS: tuple[type[Exception], ...] = (
    ConnectionFailure,
    ExecutionTimeout,
    WTimeoutError,
    ConnectionError,
    TimeoutError,
)

_SELECT_MS = 5_000


class Mongo:
    """A part: connects at start, closes at stop. `prefix` goes before every database name (tests, shared servers).

    `retry_writes=False` halves the server's cost of a batch (80 against 150 us an update, measured on 6.0), since each
    write of a batch is no longer entered in a table of its own. It is for services whose every write may be done
    again and again, duplicates of their own included.
    """

    def __init__(self, url: str, *, prefix: str = "", app: str = "carillon", retry_writes: bool = True) -> None:
        self._prefix = prefix
        self.client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
            url,
            appname=app,
            serverSelectionTimeoutMS=_SELECT_MS,
            tz_aware=True,
            retryWrites=retry_writes,
            event_listeners=[Measure(app.removeprefix("carillon-"))],
        )

    def database(self, name: str) -> Database:
        """A database whose writes are majority-acknowledged and read back from the primary."""
        return self.client.get_database(
            self._prefix + name,
            write_concern=WriteConcern(w="majority"),
            read_concern=ReadConcern("majority"),
            read_preference=ReadPreference.PRIMARY,
        )

    async def start(self) -> None:
        """Return when the server answers; raises `ServerSelectionTimeoutError` after 5 s."""
        await self.client.admin.command("ping")

    async def stop(self) -> None:
        """Close all connections."""
        self.client.close()

    async def transaction(self, work: Callable[[Session], Coroutine[Any, Any, T]]) -> T:
        """Run `work` in a transaction: all of its writes (given the session) or none. It may be run more than once.

        For what must change together in several documents, such as a ledger; everything else does without.
        """
        async with await self.client.start_session() as session:
            done: T = await session.with_transaction(
                work,
                read_concern=ReadConcern("snapshot"),
                write_concern=WriteConcern(w="majority"),
                read_preference=ReadPreference.PRIMARY,
            )
            return done

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Session]:
        """A session whose reads all see one moment, for minutes (MongoDB keeps five); nothing is written with it."""
        async with await self.client.start_session(snapshot=True) as session:
            yield session

    async def problems(self) -> dict[str, str]:
        """Empty when the primary answers."""
        try:
            await self.client.admin.command("ping")
        except TEMPORARY_ERRORS as error:
            return {"mongodb": str(error)[:200]}
        return {}
