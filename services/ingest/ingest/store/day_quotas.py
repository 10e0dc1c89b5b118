"""Messages of a day, counted over all processes: `{_id: "<account>:<day>", used, granted, expires_at}`.

A process takes a chunk of the quota and spends it in memory; what it does not need goes back when it is idle or stops.
So no more than the quota passes on a day, ever. Up to a chunk for each process may be missing while another process is
refused, and for the rest of the day when a process is killed: a 200th of the quota, and 500 messages at most.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from pymongo import ReturnDocument

from carillon.mongo import Collection, Database, Document, Index, ensure_indexes

INDEXES: Final = {"day_quotas": (Index(("expires_at",), expire_after_s=0),)}

_CHUNKS: Final = 200
_MOST: Final = 500


def chunk_of(quota: int) -> int:
    """How many messages a process takes at once."""
    return max(1, min(quota // _CHUNKS, _MOST))


def day_of(now_ms: int) -> str:
    """The day of UTC, 2026-11-23."""
    return datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%d")


class DayQuotas:
    """A part."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._days: Collection = database["day_quotas"]

    async def start(self) -> None:
        """Make the index by which MongoDB forgets."""
        await ensure_indexes(self._database, INDEXES)

    async def stop(self) -> None:
        """Nothing to let go."""

    async def take(self, account: str, day: str, quota: int) -> tuple[int, int]:
        """A chunk (0: the quota is used up), and how many are used on this day with it."""
        used: Document = {"$ifNull": ["$used", 0]}
        granted: Document = {"$max": [0, {"$min": [chunk_of(quota), {"$subtract": [quota, used]}]}]}
        document = await self._days.find_one_and_update(
            {"_id": f"{account}:{day}"},
            [
                {"$set": {"granted": granted, "used": used, "expires_at": _expiry(day)}},
                {"$set": {"used": {"$add": ["$used", "$granted"]}}},
            ],
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return int(document["granted"]), int(document["used"])

    async def give_back(self, account: str, day: str, messages: int) -> None:
        """What a process took and did not spend."""
        await self._days.update_one({"_id": f"{account}:{day}"}, {"$inc": {"used": -messages}})


def _expiry(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=2)
