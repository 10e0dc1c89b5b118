"""MongoDB: the submit journal.

A message is reserved here, durably, before it is submitted: that is what makes "never twice" true. A reservation is
an insert of `<message id>:<attempt>`; whoever finds it there already must not submit. Old ones are removed by key
range, since keys sort by time: no date, no second index, the cheapest write that MongoDB has.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from pymongo import UpdateOne

from carillon.mongo import Database, Document, insert_new, write_all
from carillon.runtime.ids import first_id_at

_KEEP_MS = 7 * 86_400_000


def journal_key(message_id: int, attempt: int) -> str:
    """Sorts by time: ids are padded to the 19 digits that 63 bits can take."""
    return f"{message_id:019d}:{attempt}"


class Journal:
    """The reservations of all dispatcher processes."""

    def __init__(self, database: Database) -> None:
        self._collection = database["journal"]

    async def reserve(self, keys: Sequence[str], operator: str, token: str) -> set[Any]:
        """Reserve all; the keys that were reserved before are returned. `token` is of this very call."""
        return await insert_new(self._collection, [{"_id": key, "operator": operator, "by": token} for key in keys])

    async def tokens(self, keys: Iterable[str]) -> dict[Any, str]:
        """Which call has reserved each key: for a reservation whose answer was lost."""
        found = self._collection.find({"_id": {"$in": list(keys)}}, {"by": 1})
        return {document["_id"]: document["by"] async for document in found}

    async def settle(self, keys: Sequence[str]) -> None:
        """Write that these were answered: they may not be sent again even where the account would have it."""
        await write_all(self._collection, [UpdateOne({"_id": key}, {"$set": {"answered": True}}) for key in keys])

    async def answered(self, key: str) -> bool:
        """Whether the reservation is known to have been answered."""
        found: Document | None = await self._collection.find_one({"_id": key}, {"answered": 1})
        return bool(found and found.get("answered"))

    async def forget_before(self, now_ms: int) -> None:
        """Remove reservations older than a week: no delivery waits that long."""
        await self._collection.delete_many({"_id": {"$lt": journal_key(first_id_at(now_ms - _KEEP_MS), 0)}})
