"""Leases: a named thing that one process holds at a time, for a while, with a fencing token that only rises.

The holder renews in good time. A process that was paused past its lease notices by its own monotonic clock
(`Lease.is_held`) and must stop acting; the token lets what it acts on refuse the words of a former holder.
"""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from carillon.mongo.client import Collection, Document

_LONG_AGO = datetime.fromtimestamp(0, UTC)


@dataclass(slots=True)
class Lease:
    """A lease that this process holds, or held. `token` rises with each new holder."""

    name: str
    owner: str
    token: int
    held_until_s: float = field(repr=False)

    def is_held(self) -> bool:
        """By this process's monotonic clock, counted from before the request that granted it."""
        return time.monotonic() < self.held_until_s


class Leases:
    """The leases of one collection, `{_id: name, owner, token, until}`. Times are the database server's."""

    def __init__(self, collection: Collection, owner: str, ttl_s: float) -> None:
        self._collection = collection
        self._owner = owner
        self.ttl_s = ttl_s

    async def acquire(self, name: str) -> Lease | None:
        """Take the lease if it is free or has run out; None while somebody else holds it."""
        asked_s = time.monotonic()
        free = {"$or": [{"$lte": [{"$ifNull": ["$until", _LONG_AGO]}, "$$NOW"]}, {"$eq": ["$owner", self._owner]}]}
        try:
            found = await self._collection.find_one_and_update(
                {"_id": name},
                [
                    {"$set": {"free": free}},
                    {
                        "$set": {
                            "owner": {"$cond": ["$free", self._owner, "$owner"]},
                            "until": {"$cond": ["$free", self._until(), "$until"]},
                            "token": {"$add": [{"$ifNull": ["$token", 0]}, {"$cond": ["$free", 1, 0]}]},
                        }
                    },
                    {"$unset": "free"},
                ],
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError:  # two took a new name at once
            return None
        assert found is not None
        if found["owner"] != self._owner:
            return None
        return Lease(name, self._owner, found["token"], asked_s + self.ttl_s)

    async def renew(self, lease: Lease) -> bool:
        """Prolong; False when it was lost to somebody else meanwhile."""
        asked_s = time.monotonic()
        result = await self._collection.update_one(
            {"_id": lease.name, "owner": self._owner, "token": lease.token},
            [{"$set": {"until": self._until()}}],
        )
        if result.matched_count:
            lease.held_until_s = asked_s + self.ttl_s
            return True
        lease.held_until_s = 0.0
        return False

    async def release(self, lease: Lease) -> None:
        """Give it back at once."""
        lease.held_until_s = 0.0
        await self._collection.update_one(
            {"_id": lease.name, "owner": self._owner, "token": lease.token}, {"$set": {"until": _LONG_AGO}}
        )

    async def count(self, prefix: str) -> int:
        """How many leases with this prefix are held, by anybody."""
        return await self._collection.count_documents(
            {
                "_id": {"$gte": prefix, "$lt": prefix + "\uffff"},
                "$expr": {"$gt": ["$until", "$$NOW"]},
            }
        )

    def _until(self) -> Document:
        return {"$add": ["$$NOW", round(self.ttl_s * 1000)]}
