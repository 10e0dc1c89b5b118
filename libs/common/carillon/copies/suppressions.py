"""A process's own copy of the suppressions: in memory for every message, in its service's database for the next start.

Each process has its own ear (a transient queue) for opt-outs and opt-ins. Whenever that ear is new it asks for what
has changed since the copy in the database was whole; until the answer's end is heard it `holds`: who checks messages
should let none leave, for a STOP may have been missed. Versions decide, so order and repetition do not matter.
"""

import asyncio
import time
from collections.abc import Sequence

import structlog
from pymongo import InsertOne, UpdateOne

from carillon.bus import Bus, Delivery, Subscription
from carillon.bus.topology import suppression_copy
from carillon.copies.suppression_table import SuppressionTable
from carillon.events.audience import OptedIn, OptedOut, SuppressionCopyRequested, SuppressionsCopied
from carillon.events.base import MAX_RECORDS
from carillon.events.catalogue import CONTACT_COPY_REQUESTED
from carillon.mongo import TEMPORARY_ERRORS, Database, Document, insert_new, write_all
from carillon.mongo.bulk import replace_if_newer
from carillon.runtime.background import Every
from carillon.runtime.ids import new_id
from carillon.runtime.number_hash import NumberHash

log = structlog.get_logger(__name__)

_SAVE_S = 0.5
_ASK_S = 3_600.0  # keeps the mark young, and heals whatever was missed
_MARGIN_MS = 600_000  # clocks of contacts' processes, and writes under way when an answer was read
_MOST_UNSAVED = 50_000
PATIENCE_S = 10.0
"""For the answer of contacts: if it is away, nobody can commit an opt-out, and the copy on disk serves."""


class SuppressionCopy:
    """A part. `has` costs under a microsecond."""

    def __init__(
        self,
        bus: Bus,
        database: Database,
        numbers: NumberHash,
        *,
        service: str,
        process: str,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._bus = bus
        self._collection = database["suppressions"]
        self._marks = database["copy_marks"]
        self._hash = numbers.of
        self._service = service
        self._queue = suppression_copy(service, process)
        self._patience_s = patience_s
        self._table = SuppressionTable()
        # of those that were changed more than once: few, and the only ones whose order can be mistaken
        self._versions: dict[bytes, int] = {}
        self._unsaved: dict[bytes, tuple[int, bool]] = {}
        self._saving = asyncio.Lock()
        self._through = 0
        self._marked = 0
        self._has_gap = False
        self._asked: str | None = None
        self._holds = True
        self._patience: asyncio.TimerHandle | None = None
        self._saver = Every("suppression copy", _SAVE_S, self._save)
        self._asker = Every("suppression refresh", _ASK_S, self._refresh)

    def __len__(self) -> int:
        return len(self._table)

    @property
    def holds(self) -> bool:
        """Whether opt-outs may have been missed: the ear is lost, or it is new and the rest has not been said yet."""
        return self._holds

    def has(self, account: str, number: str) -> bool:
        """Whether nothing may be sent from this account to this number."""
        return self._hash(account, number) in self._table

    async def start(self) -> None:
        """Load what the database holds, listen, and ask for the rest."""
        mark = await self._marks.find_one({"_id": "suppressions"})
        self._marked = self._through = int(mark["through"]) if mark else 0
        async for document in self._collection.find({}, batch_size=10_000):
            self._load(document)
        log.info("suppressions.loaded", count=len(self._table))
        await self._bus.subscribe(
            Subscription(self._queue, self._on_changed, on_attach=self._ask, on_detach=self._on_detach)
        )
        await self._saver.start()
        await self._asker.start()

    async def stop(self) -> None:
        """Listen no more, and leave what was heard to the next start."""
        await self._asker.stop()
        await self._bus.unsubscribe(self._queue.name)
        await self._saver.stop()
        if self._patience is not None:
            self._patience.cancel()
        try:
            await self._save()
        except TEMPORARY_ERRORS as error:  # the next start asks for it again: the mark was not moved
            log.warning("suppressions.unsaved", count=len(self._unsaved), error=repr(error))

    def _on_detach(self) -> None:
        self._holds = True
        self._asked = None
        if self._patience is not None:
            self._patience.cancel()

    async def _ask(self) -> None:
        """The ear is new."""
        if self._patience is not None:
            self._patience.cancel()
        self._patience = asyncio.get_running_loop().call_later(self._patience_s, self._give_up)
        await self._request()

    async def _refresh(self) -> None:
        if not self._holds:
            await self._request()

    async def _request(self) -> None:
        self._asked = new_id("scr")
        self._has_gap = False
        since = max(self._through - _MARGIN_MS, 0)
        request = SuppressionCopyRequested(
            service=self._service, request=self._asked, since=since, at=time.time_ns() // 1_000_000
        )
        await self._bus.publish(CONTACT_COPY_REQUESTED, [request])

    def _give_up(self) -> None:
        if self._holds:
            log.error("suppressions.not_refreshed", waited_s=self._patience_s, count=len(self._table))
            self._holds = False

    async def _on_changed(self, deliveries: Sequence[Delivery]) -> None:
        """Into memory, which is what serves; the saver writes."""
        for delivery in deliveries:
            for record in delivery.records:
                if isinstance(record, OptedOut):
                    self._take(record, is_out=True)
                elif isinstance(record, OptedIn):
                    self._take(record, is_out=False)
                elif isinstance(record, SuppressionsCopied) and self._asked in record.requests:
                    self._is_whole(record.through)
        if len(self._unsaved) > _MOST_UNSAVED:
            await self._make_room()

    def _take(self, record: OptedOut | OptedIn, *, is_out: bool) -> None:
        hash_ = bytes.fromhex(record.hash)
        if record.number and self._hash(record.account, record.number) != hash_:
            log.error("suppressions.other_key", account=record.account)  # still: what contacts says is taken in
            hash_ = self._hash(record.account, record.number)
        if record.version < self._versions.get(hash_, 0):
            return
        if record.version > 1:
            self._versions[hash_] = record.version
        if is_out:
            self._table.add(hash_)
        else:
            self._table.discard(hash_)
        self._unsaved[hash_] = (record.version, is_out)

    def _is_whole(self, through: int) -> None:
        if self._holds:
            log.info("suppressions.whole", count=len(self._table))
        self._holds = False
        if not self._has_gap:
            self._through = max(self._through, through)

    async def _make_room(self) -> None:
        """A large copy comes faster than it can be written: wait for the database, but not while it is away."""
        try:
            await self._save()
        except TEMPORARY_ERRORS as error:
            log.warning("suppressions.dropped", count=len(self._unsaved), error=repr(error))
            self._unsaved.clear()
            self._has_gap = True
            self._through = self._marked

    async def _save(self) -> None:
        """Write what the database has not got yet, and then until when it is whole."""
        async with self._saving:
            through = self._through
            while self._unsaved:
                batch = {hash_: self._unsaved[hash_] for hash_ in list(self._unsaved)[:MAX_RECORDS]}
                await self._write(batch)
                for hash_, written in batch.items():
                    if self._unsaved.get(hash_) is written:
                        del self._unsaved[hash_]
            if through > self._marked and not self._has_gap:
                await self._marks.update_one({"_id": "suppressions"}, {"$max": {"through": through}}, upsert=True)
                self._marked = through

    async def _write(self, batch: dict[bytes, tuple[int, bool]]) -> None:
        """A first version is inserted, or is no news; only later ones have to be compared."""
        await insert_new(
            self._collection,
            [{"_id": hash_, "version": 1, "out": is_out} for hash_, (v, is_out) in batch.items() if v == 1],
        )
        later: list[UpdateOne | InsertOne[Document]] = [
            replace_if_newer(hash_, v, {"out": is_out}) for hash_, (v, is_out) in batch.items() if v > 1
        ]
        await write_all(self._collection, later)

    def _load(self, document: Document) -> None:
        hash_ = bytes(document["_id"])
        if document["out"]:
            self._table.add(hash_)
        if document["version"] > 1:
            self._versions[hash_] = int(document["version"])
