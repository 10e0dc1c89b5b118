"""Idempotency keys: `{_id: "<account>:<key>", fingerprint, ids, lease_until_ms, expires_at_ms, expires_at, answer}`.

The record with its ids is durable before anything is published, and MongoDB removes it when it expires.
"""

from datetime import UTC, datetime
from typing import Final

from carillon.http.idempotency import Answer, KeyRecord
from carillon.mongo import Collection, Database, Document, Index, insert_new

KEY_INDEXES: Final = (Index(("expires_at",), expire_after_s=0),)


class Keys:
    """See `carillon.http.idempotency.Store`."""

    def __init__(self, database: Database) -> None:
        self._collection: Collection = database["keys"]

    async def insert(self, record: KeyRecord, now_ms: int) -> KeyRecord | None:
        """Store a record and return None, or return the one that is there already and has not expired."""
        document = _document_of(record)
        while await insert_new(self._collection, [dict(document)]):
            there = await self._collection.find_one({"_id": record.key})
            if there is None:
                continue  # removed between the two
            if there["expires_at_ms"] > now_ms:
                return _record_of(there)
            expired = {"_id": record.key, "expires_at_ms": there["expires_at_ms"]}
            if (await self._collection.replace_one(expired, document)).matched_count:
                return None
        return None

    async def take_over(self, key: str, seen_lease_ms: int, lease_until_ms: int) -> bool:
        """Lease an unanswered record anew if its lease is still `seen_lease_ms`."""
        result = await self._collection.update_one(
            {"_id": key, "answer": None, "lease_until_ms": seen_lease_ms}, {"$set": {"lease_until_ms": lease_until_ms}}
        )
        return result.matched_count > 0

    async def release(self, key: str, lease_until_ms: int) -> None:
        """End the lease of an unanswered record at once, if it is still this one."""
        await self.take_over(key, lease_until_ms, 0)

    async def finish(self, key: str, answer: Answer) -> None:
        """Store the answer."""
        said = {"status": answer.status, "body": answer.body, "media_type": answer.media_type}
        await self._collection.update_one({"_id": key}, {"$set": {"answer": said}})


def _document_of(record: KeyRecord) -> Document:
    return {
        "_id": record.key,
        "fingerprint": record.fingerprint,
        "ids": list(record.ids),
        "lease_until_ms": record.lease_until_ms,
        "expires_at_ms": record.expires_at_ms,
        "expires_at": datetime.fromtimestamp(record.expires_at_ms / 1000, UTC),
        "answer": None,
    }


def _record_of(document: Document) -> KeyRecord:
    answer = document["answer"]
    return KeyRecord(
        key=document["_id"],
        fingerprint=document["fingerprint"],
        ids=tuple(int(each) for each in document["ids"]),  # from Int64, which msgspec does not write
        lease_until_ms=document["lease_until_ms"],
        expires_at_ms=document["expires_at_ms"],
        answer=None if answer is None else Answer(answer["status"], bytes(answer["body"]), answer["media_type"]),
    )
