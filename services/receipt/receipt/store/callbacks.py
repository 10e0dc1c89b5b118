"""`receipt.callbacks`: what could not be told at once, one document a message and status.

    {_id: "<message>-<status>", message, sequence, account, lane, url, form, status, change: {...},
     state: pending | done | parked, reason?, next_at, created_at, tries, attempts: [{at, status, error, took_ms}],
     expires_at: date?}                                        set when it is done or parked

`receipt.callback_lanes` says which clients have something pending, and when it is due next: {_id: lane, next_at, adds}.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

import msgspec
from pymongo import UpdateOne

from carillon.events.message import CallbackForm, StatusChanged
from carillon.mongo import Collection, Database, Document, Index, insert_new, write_all
from receipt.domain.status import SEQUENCE

State = Literal["pending", "done", "parked"]
CALLBACK_INDEXES = (
    Index(("lane", "next_at", "_id"), where={"state": "pending"}),
    Index(("message",)),
    Index(("account", "-message", "-sequence")),
    Index(("account", "state", "-message", "-sequence")),
    Index(("expires_at",), expire_after_s=0),
)
LANE_INDEXES = (Index(("next_at",)),)
_DONE_KEPT = timedelta(days=7)
_PARKED_KEPT = timedelta(days=90)


class Attempt(NamedTuple):
    """One try. `status` is 0 when there was no answer."""

    at_ms: int
    status: int
    error: str
    took_ms: int

    def document(self) -> Document:
        """As it is stored."""
        document: Document = {"at": self.at_ms, "status": self.status, "took_ms": self.took_ms}
        return {**document, "error": self.error} if self.error else document


class Verdict(NamedTuple):
    """What is to become of a callback after an attempt (or without one)."""

    id: str
    state: State
    next_ms: int
    attempt: Attempt | None = None
    reason: str | None = None


class CallbackStore:
    """Pending callbacks by lane; writes are in batches."""

    def __init__(self, database: Database) -> None:
        self._callbacks: Collection = database["callbacks"]
        self._lanes: Collection = database["callback_lanes"]

    async def add(self, documents: Sequence[Document]) -> None:
        """Keep callbacks that are not there yet, and note when their lanes are due."""
        await insert_new(self._callbacks, documents)
        await self._note_lanes(documents)

    async def settle(self, verdicts: Iterable[Verdict]) -> None:
        """Write what became of pending callbacks; one that is not pending any more is left as it is."""
        await write_all(self._callbacks, [_settling(verdict) for verdict in verdicts])

    async def hasten(self, messages: Mapping[int, str], now_ms: int) -> None:
        """Whatever else is pending of these messages (with their lanes) is due now."""
        if not messages:
            return
        result = await self._callbacks.update_many(
            {"message": {"$in": list(messages)}, "state": "pending"}, {"$min": {"next_at": now_ms}}
        )
        if result.modified_count:
            lanes = set(messages.values())
            await self._note_lanes([{"lane": lane, "next_at": now_ms, "state": "pending"} for lane in lanes])

    async def replay(self, account: str, wanted: Document, now_ms: int) -> int:
        """Make parked (or done) callbacks of an account pending again, from the start of the schedule."""
        query = {"state": {"$ne": "pending"}, **wanted, "account": account}
        lanes = await self._callbacks.distinct("lane", query)
        result = await self._callbacks.update_many(
            query,
            {"$set": {"state": "pending", "next_at": now_ms, "tries": 0}, "$unset": {"expires_at": "", "reason": ""}},
        )
        await self._note_lanes([{"lane": lane, "next_at": now_ms, "state": "pending"} for lane in lanes])
        return result.modified_count

    async def due(self, lane: str, now_ms: int, limit: int) -> list[Document]:
        """Pending callbacks of a lane whose time has come, the most overdue first."""
        query = {"lane": lane, "state": "pending", "next_at": {"$lte": now_ms}}
        return await self._callbacks.find(query).sort([("next_at", 1), ("_id", 1)]).limit(limit).to_list(limit)

    async def pending_of(self, messages: Iterable[int]) -> list[Document]:
        """All pending callbacks of these messages, in the order in which they are to be told."""
        query = {"message": {"$in": list(messages)}, "state": "pending"}
        return await self._callbacks.find(query).sort([("message", 1), ("sequence", 1)]).to_list(None)

    async def of_message(self, message: int) -> list[Document]:
        """All callbacks of a message."""
        return await self._callbacks.find({"message": message}).sort("sequence", 1).to_list(None)

    async def one(self, account: str, id_: str) -> Document | None:
        """A callback of an account."""
        return await self._callbacks.find_one({"_id": id_, "account": account})

    async def page(self, account: str, wanted: Document, before: tuple[int, int] | None, limit: int) -> list[Document]:
        """Callbacks of an account, of the newest messages first, after the place (message, sequence) `before`."""
        query: Document = {**wanted, "account": account}
        if before is not None:
            message, sequence = before
            query["$or"] = [{"message": {"$lt": message}}, {"message": message, "sequence": {"$lt": sequence}}]
        cursor = self._callbacks.find(query).sort([("message", -1), ("sequence", -1)])
        return await cursor.limit(limit).to_list(limit)

    async def give_up(self, lane: str, before_ms: int, reason: str) -> int:
        """Park what has been pending since before a moment; how many that were."""
        result = await self._callbacks.update_many(
            {"lane": lane, "state": "pending", "created_at": {"$lt": before_ms}},
            {"$set": {"state": "parked", "reason": reason, "expires_at": datetime.now(UTC) + _PARKED_KEPT}},
        )
        return result.modified_count

    async def lanes(self) -> list[Document]:
        """Every lane with something pending."""
        return await self._lanes.find({}).to_list(None)

    async def count_pending(self) -> int:
        """How many callbacks wait."""
        return await self._callbacks.count_documents({"state": "pending", "lane": {"$gt": ""}})

    async def finish_lane(self, lane: Document, not_before_ms: int) -> None:
        """Note when the lane is due next, not before a moment; forget it when nothing of it is pending.

        A lane to which something was added meanwhile is left as it is: it is looked at again at once.
        """
        query = {"lane": lane["_id"], "state": "pending"}
        first = await self._callbacks.find_one(query, {"next_at": 1}, sort=[("next_at", 1)])
        seen = {"_id": lane["_id"], "adds": lane["adds"]}
        if first is None:
            await self._lanes.delete_one(seen)
        else:
            await self._lanes.update_one(seen, {"$set": {"next_at": max(first["next_at"], not_before_ms)}})

    async def _note_lanes(self, documents: Sequence[Document]) -> None:
        earliest: dict[str, int] = {}
        for document in documents:
            if document["state"] == "pending":
                lane, next_ms = document["lane"], document["next_at"]
                earliest[lane] = min(next_ms, earliest.get(lane, next_ms))
        await write_all(
            self._lanes,
            [
                UpdateOne({"_id": lane}, {"$min": {"next_at": next_ms}, "$inc": {"adds": 1}}, upsert=True)
                for lane, next_ms in earliest.items()
            ],
        )


def callback_id(change: StatusChanged) -> str:
    """One callback for each status of a message, however often it is said."""
    return f"{change.id}-{change.status}"


def callback_document(
    lane: str, url: str, form: CallbackForm, change: StatusChanged, verdict: Verdict, now_ms: int
) -> Document:
    """A callback to be made later, or (parked) only when it is asked for."""
    document: Document = {
        "_id": verdict.id,
        "message": change.id,
        "sequence": SEQUENCE[change.status],
        "account": change.account,
        "lane": lane,
        "url": url,
        "form": form,
        "status": change.status,
        "change": msgspec.json.encode(change).decode(),
        "state": verdict.state,
        "next_at": verdict.next_ms,
        "created_at": now_ms,
        "tries": 0 if verdict.attempt is None else 1,
        "attempts": [] if verdict.attempt is None else [verdict.attempt.document()],
    }
    if verdict.reason is not None:
        document["reason"] = verdict.reason
    if verdict.state != "pending":
        document["expires_at"] = datetime.now(UTC) + _PARKED_KEPT
    return document


def change_of(document: Document) -> StatusChanged:
    """What is to be told."""
    return _decode_change(document["change"])


_decode_change = msgspec.json.Decoder(StatusChanged).decode


def _settling(verdict: Verdict) -> UpdateOne:
    values: dict[str, Any] = {"state": verdict.state, "next_at": verdict.next_ms}
    if verdict.state != "pending":
        values["expires_at"] = datetime.now(UTC) + (_DONE_KEPT if verdict.state == "done" else _PARKED_KEPT)
    if verdict.reason is not None:
        values["reason"] = verdict.reason
    update: Document = {"$set": values}
    if verdict.attempt is not None:
        update["$inc"] = {"tries": 1}
        update["$push"] = {"attempts": {"$each": [verdict.attempt.document()], "$slice": -30}}
    return UpdateOne({"_id": verdict.id, "state": "pending"}, update)
