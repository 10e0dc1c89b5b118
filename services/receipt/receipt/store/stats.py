"""`receipt.stats`: an account's hours in numbers, and `receipt.stats_marks`: which of them have to be counted again.

    stats        {_id: "acc_...:488123", account, hour, token,
                  cells: MessagePack of [[Cell, Tally], ...], ten times faster to read than BSON}
    stats_marks  {_id, account, hour}

`hour` counts hours since 1970 of the messages' ids. A mark is inserted after the documents that it is about, and
deleted after an hour was counted from documents read later than the mark: so nothing stays uncounted, and counting
twice changes nothing. `token` is that of the lease of who counted: a former holder never replaces a later count.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from pymongo.errors import DuplicateKeyError

from carillon.mongo import Collection, Database, Index
from carillon.runtime.ids import time_ms_of
from receipt.domain.tallies import HOUR_MS, Cell, Tallies, Tally

STATS_INDEXES = (Index(("account", "hour")),)
MARK_INDEXES = (Index(("account", "hour")),)
_MARKS_AT_ONCE = 10_000
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[Cell, Tally]]).decode


class Hour(NamedTuple):
    """An hour of an account."""

    account: str
    hour: int


def hour_of(message_id: int) -> int:
    """Hours since 1970 when a message id was made."""
    return time_ms_of(message_id) // HOUR_MS


class StatsStore:
    """Marks and counts."""

    def __init__(self, database: Database) -> None:
        self._stats: Collection = database["stats"]
        self._marks: Collection = database["stats_marks"]

    async def mark(self, hours: Iterable[Hour]) -> None:
        """Something has happened to messages of these hours."""
        marks = [hour._asdict() for hour in hours]
        if marks:
            await self._marks.insert_many(marks, ordered=False)

    async def marked(self) -> list[Hour]:
        """Hours to be counted again."""
        found = self._marks.aggregate([{"$group": {"_id": {"account": "$account", "hour": "$hour"}}}])
        return [Hour(one["_id"]["account"], one["_id"]["hour"]) async for one in found]

    async def marks_of(self, hour: Hour) -> list[Any]:
        """The marks of an hour as they are now; more than so many wait for the next time."""
        found = self._marks.find(hour._asdict(), {"_id": 1}).limit(_MARKS_AT_ONCE)
        return [one["_id"] async for one in found]

    async def is_marked(self, account: str, first: int, last: int) -> bool:
        """Whether any of these hours is to be counted again."""
        query = {"account": account, "hour": {"$gte": first, "$lte": last}}
        return await self._marks.find_one(query, {"_id": 1}) is not None

    async def keep(self, hour: Hour, tallies: Tallies, token: int) -> bool:
        """Write what an hour has come to; False when a later holder of the lease has counted it already."""
        id_ = f"{hour.account}:{hour.hour}"
        cells = _encode(list(tallies.items()))
        document = {"_id": id_, **hour._asdict(), "token": token, "cells": cells}
        try:
            await self._stats.replace_one({"_id": id_, "token": {"$lte": token}}, document, upsert=True)
        except DuplicateKeyError:
            return False
        return True

    async def delete_marks(self, marks: Sequence[Any]) -> None:
        """These were seen to."""
        await self._marks.delete_many({"_id": {"$in": list(marks)}})

    async def between(self, account: str, first: int, last: int) -> AsyncIterator[tuple[int, Tallies]]:
        """The hours that were counted, in order."""
        query = {"account": account, "hour": {"$gte": first, "$lte": last}}
        async for document in self._stats.find(query, {"hour": 1, "cells": 1}).sort("hour", 1).batch_size(100):
            yield int(document["hour"]), dict(_decode(document["cells"]))
