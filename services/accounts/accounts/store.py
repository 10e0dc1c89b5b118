"""Accounts in MongoDB: one document an account, which carries its own unsaid event (ARCHITECTURE R3).

A document has a `pending` field from the update that changes it until the broker has confirmed `account.changed` for
that version. Every write after the first is a compare-and-set on `version`.
"""

import re
from collections.abc import AsyncIterator

import msgspec
from pymongo.errors import DuplicateKeyError

from accounts.domain.account import Account
from carillon.mongo import Database, Document, Index, ensure_indexes

INDEXES = {
    "accounts": (
        # several doors a document: "unique" holds between documents, the domain's rule within one
        Index(("doors.name",), unique=True, where={"doors.name": {"$exists": True}}),
        Index(("api_keys.hash",), unique=True, where={"api_keys.hash": {"$exists": True}}),
        Index(("pending",), where={"pending": {"$exists": True}}),
        Index(("name_key", "_id")),
        Index(("low_balance_micros",), where={"low_balance_micros": {"$gt": 0}}),
    )
}
_BATCH = 500


class NameTakenError(Exception):
    """A door of this name exists on another account."""


class AccountStore:
    """A part. Reads and writes whole accounts."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._accounts = database["accounts"]

    async def start(self) -> None:
        """Make the indexes that are missing."""
        await ensure_indexes(self._database, INDEXES)

    async def stop(self) -> None:
        """Nothing to let go: the client is another part."""

    async def add(self, account: Account) -> None:
        """A new account, with its event pending."""
        await self._accounts.insert_one(_document(account))

    async def replace(self, account: Account, *, expected: int) -> bool:
        """Store the new state with its event pending; False when the version is no longer the expected one."""
        try:
            # $set and not a replacement: a process of an older release must not drop what a newer one has added
            result = await self._accounts.update_one(
                {"_id": account.id, "version": expected}, {"$set": _document(account)}
            )
        except DuplicateKeyError as error:
            raise NameTakenError(account.id) from error
        return result.matched_count == 1

    async def said(self, account_id: str, version: int) -> None:
        """The broker has this version: it is no longer pending, unless a newer one is."""
        await self._accounts.update_one({"_id": account_id, "version": version}, {"$unset": {"pending": ""}})

    async def find(self, account_id: str) -> Account | None:
        """The account of that id."""
        return _account(await self._accounts.find_one({"_id": account_id}))

    async def find_by_key_hash(self, hash_: str) -> Account | None:
        """The account that has the API key with that SHA-256 (hex)."""
        return _account(await self._accounts.find_one({"api_keys.hash": hash_}))

    async def page(self, *, name: str | None, after: str | None, limit: int) -> list[Account]:
        """Accounts in the order of their ids, that is of their making, those whose name begins so, in any case."""
        wanted: Document = {"_id": {"$gt": after}} if after else {}
        if name:
            wanted["name_key"] = {"$regex": "^" + re.escape(name.casefold())}
        cursor = self._accounts.find(wanted).sort("_id", 1).limit(limit)
        return [_read(document) async for document in cursor]

    async def batches(self, *, pending_only: bool = False) -> AsyncIterator[list[Account]]:
        """All accounts, or those whose event is pending, up to 500 at a time."""
        batch: list[Account] = []
        wanted = {"pending": {"$exists": True}} if pending_only else {}
        async for document in self._accounts.find(wanted, batch_size=_BATCH):
            batch.append(_read(document))
            if len(batch) == _BATCH:
                yield batch
                batch = []
        if batch:
            yield batch


def _document(account: Account) -> Document:
    values: Document = msgspec.to_builtins(account)
    return {"_id": values.pop("id"), **values, "name_key": account.name.casefold(), "pending": True}


def _account(document: Document | None) -> Account | None:
    return None if document is None else _read(document)


def _read(document: Document) -> Account:
    return msgspec.convert({**document, "id": document["_id"]}, Account)
