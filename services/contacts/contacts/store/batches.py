"""`contacts.import_batches`: what each batch of an import does, `{_id: "<import>:<number>", body, expires_at}`.

The counts, the report and the undo of an import are read from here; so it can be undone as long as these are kept.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

from pymongo.errors import DuplicateKeyError

from carillon.mongo import Collection, Database, Index
from contacts.imports.record import Record, decode, encode, record_id

BATCH_INDEXES: Final = (Index(("expires_at",), expire_after_s=0),)
KEEP_MS: Final = 30 * 86_400_000


class BatchStore:
    """Records of batches."""

    def __init__(self, database: Database) -> None:
        self._batches: Collection = database["import_batches"]

    async def add(self, record: Record, body: bytes, now_ms: int) -> bool:
        """False when the batch was decided already, by a process that then died or was slow."""
        expires_at = datetime.fromtimestamp((now_ms + KEEP_MS) / 1000, UTC)
        try:
            await self._batches.insert_one({"_id": record.id, "body": body, "expires_at": expires_at})
        except DuplicateKeyError:
            return False
        return True

    async def change(self, record: Record) -> None:
        """Decide anew on what turned out to be different."""
        await self._batches.update_one({"_id": record.id}, {"$set": {"body": encode(record)}})

    async def find(self, import_: str, number: int) -> Record | None:
        """The record of a batch."""
        document = await self._batches.find_one({"_id": record_id(import_, number)})
        return None if document is None else decode(document["body"])

    async def all(self, import_: str, count: int) -> AsyncIterator[Record]:
        """The first `count` records, in order."""
        wanted = {"_id": {"$gte": f"{import_}:", "$lt": record_id(import_, count)}}
        async for document in self._batches.find(wanted, batch_size=4).sort("_id", 1):
            yield decode(document["body"])

    async def remove(self, import_: str) -> None:
        """All of an import."""
        await self._batches.delete_many({"_id": {"$gte": f"{import_}:", "$lt": f"{import_};"}})
