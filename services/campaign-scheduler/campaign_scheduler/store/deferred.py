"""`campaign_scheduler.deferred`: single messages with a time of their own.

    {_id: message id, account, lane, send_at, pays: bool, state, body, said: bool, at, gone_at?}

    waiting -> cancelled
    waiting -> released                  where nothing is to be paid
    waiting -> unpaid -> released        where the account is prepaid (`pays`); `body` has the lease then
    waiting -> unpaid -> refused         credit is exhausted

Each step is a compare-and-set, so it is taken once. `said` tells that the bus has what became of it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec
from bson import Binary
from pymongo import UpdateOne

from carillon.events.credit import LEASE_LATER
from carillon.events.message import Accepted, Deferred
from carillon.mongo import Collection, Database, Index, insert_new

DEFERRED_INDEXES = (
    Index(("state", "send_at"), where={"said": False}),
    Index(("gone_at",), expire_after_s=0),
)
_KEEP_S = 7 * 86_400  # a late DELETE is told what became of it
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Accepted).decode

DeferredState = Literal["waiting", "unpaid", "released", "cancelled", "refused"]


class DeferredStore:
    """Messages that wait, and what became of them."""

    def __init__(self, database: Database) -> None:
        self._deferred: Collection = database["deferred"]

    async def keep(self, records: Sequence[Deferred]) -> None:
        """Keep each once."""
        await insert_new(
            self._deferred,
            [
                {
                    "_id": record.message.id,
                    "account": record.message.account,
                    "lane": record.message.lane,
                    "send_at": record.send_at,
                    "pays": record.message.lease_id == LEASE_LATER,
                    "state": "waiting",
                    "body": Binary(_encode(record.message)),
                    "said": False,
                    "at": 0,
                }
                for record in records
            ],
        )

    async def due(self, now_ms: int, limit: int) -> list[int]:
        """Ids whose time has come, the earliest first."""
        query = {"said": False, "state": "waiting", "send_at": {"$lte": now_ms}}
        found = self._deferred.find(query, {"_id": 1}).sort("send_at", 1).limit(limit)
        return [int(document["_id"]) async for document in found]

    async def release(self, ids: Sequence[int], process: str, now_ms: int) -> None:
        """From now on they are to be said, or paid, by `process`; those that were cancelled meanwhile are not."""
        query = {"_id": {"$in": list(ids)}, "state": "waiting"}
        left = {"by": process, "at": now_ms}
        await self._deferred.update_many({**query, "pays": True}, {"$set": {"state": "unpaid", **left}})
        await self._deferred.update_many({**query, "pays": {"$ne": True}}, {"$set": {"state": "released", **left}})

    async def paid(self, messages: Sequence[Accepted], process: str, now_ms: int) -> None:
        """They have their leases, and are to be said by `process`, where nobody was faster."""
        await self._deferred.bulk_write(
            [
                UpdateOne(
                    {"_id": message.id, "state": "unpaid"},
                    {
                        "$set": {
                            "state": "released",
                            "by": process,
                            "at": now_ms,
                            "body": Binary(_encode(message)),
                        }
                    },
                )
                for message in messages
            ],
            ordered=False,
        )

    async def refuse(self, message_id: int, process: str, now_ms: int) -> None:
        """It cannot be paid, where nobody was faster."""
        await self._deferred.update_one(
            {"_id": message_id, "state": "unpaid"}, {"$set": {"state": "refused", "by": process, "at": now_ms}}
        )

    async def cancel(self, account: str, message_id: int, now_ms: int) -> bool:
        """False when it does not wait (any more)."""
        result = await self._deferred.update_one(
            {"_id": message_id, "account": account, "state": "waiting"},
            {"$set": {"state": "cancelled", "at": now_ms}},
        )
        return result.matched_count == 1

    async def state(self, account: str, message_id: int) -> DeferredState | None:
        """Where a message of the account is."""
        found = await self._deferred.find_one({"_id": message_id, "account": account}, {"state": 1})
        state: DeferredState | None = found["state"] if found else None
        return state

    async def unsaid(
        self, state: DeferredState, *, process: str | None, until_ms: int, limit: int
    ) -> list[tuple[Accepted, int]]:
        """Messages (and when they left `waiting`, by `until_ms`) that may not have been said; of one process."""
        query = {"said": False, "state": state, "at": {"$lte": until_ms}, **({"by": process} if process else {})}
        found = await self._deferred.find(query).sort("send_at", 1).limit(limit).to_list(limit)
        return [(_decode(bytes(document["body"])), int(document["at"])) for document in found]

    async def said(self, ids: Sequence[int], now_ms: int) -> None:
        """The bus has them."""
        gone_at = datetime.fromtimestamp(now_ms / 1000 + _KEEP_S, UTC)
        await self._deferred.update_many(
            {"_id": {"$in": list(ids)}}, {"$set": {"said": True, "gone_at": gone_at}, "$unset": {"body": ""}}
        )

    async def one_unsaid(self, message_id: int) -> list[tuple[Accepted, int]]:
        """The message, if its cancellation was not said."""
        found = await self._deferred.find_one({"_id": message_id, "said": False, "state": "cancelled"})
        return [(_decode(bytes(found["body"])), int(found["at"]))] if found else []
