"""`contacts.imports`: `{_id, account, state, rev, key, alive_at, body}`, the body being the import as JSON.

Each change is a compare-and-set on `rev`, which rises by one.
"""

from typing import Final

import msgspec
from pymongo.errors import DuplicateKeyError

from carillon.mongo import Collection, Database, Document, Index
from contacts.domain.import_ import WORKING, Import

IMPORT_INDEXES: Final = (
    Index(("account", "_id")),
    Index(("account", "key"), unique=True, where={"key": {"$type": "string"}}),
    Index(("state", "account"), where={"state": {"$in": ["uploading", "queued", "running", "undoing"]}}),
)


class Kept(msgspec.Struct, frozen=True):
    """An import as it was read, with the `rev` that its next change has to name."""

    import_: Import
    rev: int
    alive_at: int


class ImportStore:
    """Imports of all accounts."""

    def __init__(self, database: Database) -> None:
        self._imports: Collection = database["imports"]

    async def add(self, import_: Import, now_ms: int) -> Kept | None:
        """A new one; None when the account has one with this key already."""
        try:
            await self._imports.insert_one({"_id": import_.id, **_values(import_), "rev": 1, "alive_at": now_ms})
        except DuplicateKeyError:
            return None
        return Kept(import_, 1, now_ms)

    async def save(self, kept: Kept, import_: Import) -> Kept | None:
        """Store the new state; None when somebody else changed it since `kept` was read."""
        wanted = {"_id": import_.id, "rev": kept.rev}
        change = {"$set": {**_values(import_), "rev": kept.rev + 1}}
        if (await self._imports.update_one(wanted, change)).matched_count == 0:
            return None
        return Kept(import_, kept.rev + 1, kept.alive_at)

    async def alive(self, id_: str, now_ms: int) -> None:
        """Its upload goes on."""
        await self._imports.update_one({"_id": id_}, {"$set": {"alive_at": now_ms}})

    async def remove(self, id_: str) -> None:
        """As if it had never been."""
        await self._imports.delete_one({"_id": id_})

    async def find(self, account: str, id_: str) -> Kept | None:
        """The import of that id."""
        return _kept(await self._imports.find_one({"_id": id_, "account": account}))

    async def by_key(self, account: str, key: str) -> Kept | None:
        """The import that came with this Idempotency-Key."""
        return _kept(await self._imports.find_one({"account": account, "key": key}))

    async def page(self, account: str, before: str | None, limit: int) -> list[Import]:
        """The newest first."""
        wanted: Document = {"account": account, **({"_id": {"$lt": before}} if before else {})}
        found = await self._imports.find(wanted).sort("_id", -1).limit(limit).to_list(limit)
        return [_read(document) for document in found]

    async def accounts_with_work(self) -> list[str]:
        """Accounts that have an import to be worked on."""
        wanted = {"state": {"$in": sorted(WORKING)}}
        found: list[str] = await self._imports.distinct("account", wanted)
        return found

    async def next_work(self, account: str) -> Kept | None:
        """The oldest of an account that is to be worked on."""
        wanted = {"account": account, "state": {"$in": sorted(WORKING)}}
        return _kept(await self._imports.find_one(wanted, sort=[("_id", 1)]))

    async def abandoned(self, before_ms: int) -> list[str]:
        """Ids of imports whose upload broke off before that time, and nobody came to tell."""
        wanted = {"state": "uploading", "alive_at": {"$lt": before_ms}}
        return [document["_id"] async for document in self._imports.find(wanted, {"_id": 1})]


def _values(import_: Import) -> Document:
    return {
        "account": import_.account,
        "state": import_.state,
        "key": import_.key,
        "body": msgspec.json.encode(import_).decode(),
    }


def _read(document: Document) -> Import:
    return msgspec.json.decode(document["body"], type=Import)


def _kept(document: Document | None) -> Kept | None:
    return None if document is None else Kept(_read(document), int(document["rev"]), int(document["alive_at"]))
