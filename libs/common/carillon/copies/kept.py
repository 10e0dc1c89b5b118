"""What every copy has in common: in memory for every request, in the service's own database for the next start.

Each process has its own ear (a transient queue) for the changes. Whenever that ear is new, after a start or a
reconnection, the process asks for everything again, since something may have been said meanwhile. The higher version
wins, so order and repetition do not matter. If the owner is away, what the database holds serves; if the database is
away, memory stays up to date and the database catches up later.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import msgspec
import structlog

from carillon.bus import Bus, Delivery, Subscription
from carillon.bus.topology import Queue
from carillon.events.base import MAX_RECORDS, Record
from carillon.events.catalogue import Event
from carillon.mongo import TEMPORARY_ERRORS, Database, write_all
from carillon.mongo.bulk import replace_if_newer
from carillon.runtime.background import Every

log = structlog.get_logger(__name__)

_SAVE_S = 0.5


class Versioned(Protocol):
    """A record that says a whole thing at one version."""

    id: str
    version: int


T = TypeVar("T", bound=Versioned)


class KeptCopy(ABC, Generic[T]):
    """A part. `kind` is the record that it keeps, one document each under `field` in the collection `name`."""

    def __init__(
        self, bus: Bus, database: Database, *, kind: type[T], name: str, field: str, queue: Queue, ask: Event
    ) -> None:
        self._bus = bus
        self._collection = database[name]
        self._kind = kind
        self._name = name
        self._field = field
        self._queue = queue
        self._ask_event = ask
        self._unsaved: dict[str, T] = {}
        self._saver = Every(f"copy of {name}", _SAVE_S, self._save)

    @abstractmethod
    def _take(self, record: T, /) -> bool:
        """Put it into memory; False when what is known is as new."""

    @abstractmethod
    def _request(self, at_ms: int) -> Record:
        """The record of the event that asks for everything."""

    async def start(self) -> None:
        """Load what the database holds, listen, and ask for the rest."""
        count = 0
        async for document in self._collection.find({}):
            try:
                count += self._take(msgspec.convert(document[self._field], self._kind))
            except (KeyError, msgspec.ValidationError) as error:  # of another release: it is said anew in a moment
                log.warning("copy.unreadable", copy=self._name, id=document["_id"], error=repr(error))
        log.info("copy.loaded", copy=self._name, count=count)
        await self._bus.subscribe(Subscription(self._queue, self._on_changed, on_attach=self._ask))
        await self._saver.start()

    async def stop(self) -> None:
        """Listen no more, and leave what was heard to the next start."""
        await self._bus.unsubscribe(self._queue.name)
        await self._saver.stop()
        try:
            await self._save()
        except TEMPORARY_ERRORS as error:  # the next start hears it again
            log.warning("copy.unsaved", copy=self._name, count=len(self._unsaved), error=repr(error))

    async def _ask(self) -> None:
        await self._bus.publish(self._ask_event, [self._request(time.time_ns() // 1_000_000)])

    async def _on_changed(self, deliveries: Sequence[Delivery]) -> None:
        """Into memory, which is what serves. The saver writes: a database that is away must not hold up a change."""
        for delivery in deliveries:
            for record in delivery.records:
                if isinstance(record, self._kind) and self._take(record):
                    self._unsaved[record.id] = record

    async def _save(self) -> None:
        """Write what the database has not got yet. A change that comes while one is being written stays for later."""
        while self._unsaved:
            batch = list(self._unsaved.values())[:MAX_RECORDS]
            await write_all(
                self._collection,
                [
                    replace_if_newer(record.id, record.version, {self._field: msgspec.to_builtins(record)})
                    for record in batch
                ],
            )
            for record in batch:
                if self._unsaved.get(record.id) is record:
                    del self._unsaved[record.id]
