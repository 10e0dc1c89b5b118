"""`contacts.suppressions`: one document an account and number, under their keyed hash; it carries its unsaid changes.

    {_id: hash, account, number?, active, rank, reason, source, evidence, version, changed_at, inbound_at?,
     pending?: [{id, what, reason, source, evidence, at, number?}]}

A lifted suppression keeps its document, so that versions go on rising. An erased one has no number: it is found by
whoever comes with the number again, and by nobody else. Each change is one atomic update that decides by itself whether
it changes anything.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final

import msgspec
from pymongo import UpdateOne

from carillon.mongo import Collection, Database, Document, Index, write_all
from carillon.runtime.number_hash import NumberHash
from contacts.suppressions.domain import RANK, Change, Pending, Reason, Suppression

SUPPRESSION_INDEXES: Final = (
    Index(("account", "active", "-changed_at", "-_id")),
    Index(("changed_at",)),
    Index(("unsaid", "changed_at"), where={"unsaid": True}),
)
_BATCH: Final = 500


class SuppressionStore:
    """Suppressions of all accounts; every query names the account, or is for events that do."""

    def __init__(self, database: Database, numbers: NumberHash) -> None:
        self._suppressions: Collection = database["suppressions"]
        self._hash = numbers.of

    async def apply(self, changes: Sequence[Change], now_ms: int) -> list[Suppression]:
        """Store what changes something, with its event pending; those numbers' newest states are returned.

        Of several changes of one number each is done after the other.
        """
        changed: dict[bytes, Suppression] = {}
        for some in _rounds(changes, self._hash):
            await write_all(
                self._suppressions,
                [_update(hash_, change, now_ms) for hash_, change in some.items()],
            )
            ids = [change.id for change in some.values()]
            found = self._suppressions.find({"_id": {"$in": list(some)}, "pending.id": {"$in": ids}})
            changed |= {bytes(document["_id"]): _read(document) async for document in found}
        return list(changed.values())

    async def said(self, suppressions: Iterable[Suppression]) -> None:
        """Everything of these versions was said; a newer change stays pending."""
        await write_all(
            self._suppressions,
            [
                UpdateOne({"_id": each.hash, "version": each.version}, {"$unset": {"pending": "", "unsaid": ""}})
                for each in suppressions
            ],
        )

    async def find(self, account: str, number: str) -> Suppression | None:
        """What is known of a number, active or not."""
        document = await self._suppressions.find_one({"_id": self._hash(account, number)})
        return None if document is None else _read(document)

    async def page(
        self, account: str, reason: Reason | None, after: tuple[int, str] | None, limit: int
    ) -> list[Suppression]:
        """Those in force, the newest first, after the place (`changed_at`, hash in hex)."""
        wanted: Document = {"account": account, "active": True}
        if reason is not None:
            wanted["reason"] = reason
        if after is not None:
            moment, hash_ = after[0], bytes.fromhex(after[1])
            wanted["$or"] = [{"changed_at": {"$lt": moment}}, {"changed_at": moment, "_id": {"$lt": hash_}}]
        cursor = self._suppressions.find(wanted).sort([("changed_at", -1), ("_id", -1)]).limit(limit)
        return [_read(document) async for document in cursor]

    async def unsaid(self, before_ms: int) -> AsyncIterator[list[Suppression]]:
        """Those with changes from before then that were perhaps not said, up to 500 at a time."""
        async for batch in self._batches({"unsaid": True, "changed_at": {"$lt": before_ms}}):
            yield batch

    async def changed_since(self, since_ms: int) -> AsyncIterator[list[Suppression]]:
        """All that changed since then, active or not, up to 500 at a time."""
        async for batch in self._batches({"changed_at": {"$gte": since_ms}}):
            yield batch

    async def _batches(self, wanted: Document) -> AsyncIterator[list[Suppression]]:
        batch: list[Suppression] = []
        async for document in self._suppressions.find(wanted, batch_size=_BATCH):
            batch.append(_read(document))
            if len(batch) == _BATCH:
                yield batch
                batch = []
        if batch:
            yield batch


def _rounds(changes: Sequence[Change], hash_of: Any) -> list[dict[bytes, Change]]:
    """Batches of at most 500 in which no number comes twice."""
    rounds: list[dict[bytes, Change]] = [{}]
    for change in changes:
        hash_ = hash_of(change.account, change.number)
        if hash_ in rounds[-1] or len(rounds[-1]) == _BATCH:
            rounds.append({})
        rounds[-1][hash_] = change
    return [some for some in rounds if some]


def _update(hash_: bytes, change: Change, now_ms: int) -> UpdateOne:
    """An update that changes everything or nothing: `changes` says which."""
    fields: Document = {
        "account": change.account,
        "active": change.reason is not None,
        "rank": RANK[change.reason] if change.reason is not None else 0,
        "reason": change.reason,
        "source": change.source,
        "changed_at": now_ms,
        "unsaid": True,
    }
    if change.is_inbound:
        fields["inbound_at"] = change.at
    number: Any = "$$REMOVE" if change.reason == "erased" else {"$literal": change.number}
    pending = msgspec.to_builtins(_pending_of(change))
    values: Document = {
        **{name: {"$literal": value} for name, value in fields.items()},
        "number": number,
        "version": {"$add": [{"$ifNull": ["$version", 0]}, 1]},
        "pending": {"$concatArrays": [{"$ifNull": ["$pending", []]}, [{"$literal": pending}]]},
    }
    steps: list[Document] = [
        {"$set": {"changes": _changes(change)}},
        {"$set": {name: {"$cond": ["$changes", value, f"${name}"]} for name, value in values.items()}},
        {"$unset": "changes"},
    ]
    # a lift makes no document: there is nothing to lift
    return UpdateOne({"_id": hash_}, steps, upsert=change.reason is not None)


def _changes(change: Change) -> Document:
    """Whether it changes anything: a stronger reason, or a lift of what is in force.

    What a handset said before its last word, and is delivered again, does not count.
    """
    rank = {"$ifNull": ["$rank", 0]}
    is_news = {"$lt": [rank, RANK[change.reason]]} if change.reason is not None else {"$eq": ["$active", True]}
    conditions: list[Document] = [is_news]
    if change.is_inbound:
        conditions.append({"$lte": [{"$ifNull": ["$inbound_at", 0]}, change.at]})
    return {"$and": conditions}


def _pending_of(change: Change) -> Pending:
    return Pending(
        id=change.id,
        what=change.what,
        reason=change.reason,
        source=change.source,
        evidence=change.evidence,
        at=change.at,
        number=change.number if change.reason == "erased" else None,
    )


def _read(document: Document) -> Suppression:
    return Suppression(
        hash=bytes(document["_id"]),
        account=document["account"],
        number=document.get("number"),
        active=document["active"],
        reason=document["reason"],
        source=document["source"],
        version=int(document["version"]),
        changed_at=int(document["changed_at"]),
        pending=tuple(msgspec.convert(each, Pending) for each in document.get("pending", ())),
    )
