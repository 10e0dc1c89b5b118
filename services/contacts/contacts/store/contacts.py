"""`contacts.contacts`: one document a contact, with what it is found by.

`attributes` are kept as `name + U+001F + value`, `words` are the folded words of the name: each is an index of its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from motor.motor_asyncio import AsyncIOMotorCursor
from msgspec.structs import replace
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from carillon.mongo import Collection, Database, Document, Index
from contacts.domain.contact import Contact
from contacts.domain.folding import words_of

CONTACT_INDEXES: Final = (
    Index(("account", "number"), unique=True),
    Index(("account", "groups", "number")),
    Index(("account", "attributes", "number")),
    Index(("account", "words")),
)
SEPARATOR: Final = "\x1f"
_BY_NUMBER: Final = [("account", 1), ("number", 1)]
_BY_WORD: Final = [("account", 1), ("words", 1)]
_BY_GROUP: Final = [("account", 1), ("groups", 1), ("number", 1)]
_BY_ATTRIBUTE: Final = [("account", 1), ("attributes", 1), ("number", 1)]
_DUPLICATE_KEY: Final = 11_000
_SEARCH_MS: Final = 1_000


Cursor = AsyncIOMotorCursor[Document]


class NumberTakenError(Exception):
    """A contact of the account has this number."""


class Filter(NamedTuple):
    """Which contacts: in one of `groups` (None: wherever), with all `attributes`."""

    groups: Sequence[str] | None = None
    attributes: Mapping[str, str] = {}

    def query(self, account: str, after: str) -> Document:
        """As MongoDB is asked."""
        wanted: Document = {"account": account, "number": {"$gt": after}}
        if self.groups is not None:
            wanted["groups"] = self.groups[0] if len(self.groups) == 1 else {"$in": list(self.groups)}
        if self.attributes:
            wanted["attributes"] = {"$all": [mark(name, value) for name, value in self.attributes.items()]}
        return wanted

    def hint(self) -> list[tuple[str, int]]:
        """The one that gives both the choice and the order. MongoDB is told, since it chooses by trial.

        A small group of a large account must never be looked for among all numbers.
        """
        if self.groups is not None:
            return _BY_GROUP
        return _BY_ATTRIBUTE if self.attributes else _BY_NUMBER


class ContactStore:
    """Contacts of all accounts; every query names the account."""

    def __init__(self, database: Database) -> None:
        self._contacts: Collection = database["contacts"]

    async def add(self, contact: Contact) -> Contact:
        """Insert; one of the same id that is there already is returned as it is. NumberTakenError."""
        try:
            await self._contacts.insert_one(document_of(contact))
        except DuplicateKeyError as error:
            there = await self.find(contact.account, contact.id)
            if there is None:
                raise NumberTakenError(contact.number) from error
            return there
        return contact

    async def replace(self, contact: Contact, *, expected: int) -> bool:
        """Store a newer state; False when the version is no longer the expected one. NumberTakenError."""
        values = document_of(contact)
        del values["_id"]
        wanted = {"_id": contact.id, "account": contact.account, "version": expected}
        try:
            return (await self._contacts.update_one(wanted, {"$set": values})).matched_count == 1
        except DuplicateKeyError as error:
            raise NumberTakenError(contact.number) from error

    async def remove(self, account: str, id_: str, version: int | None) -> bool:
        """Delete it, if it has that version; False when nothing was deleted."""
        wanted: Document = {"_id": id_, "account": account}
        if version is not None:
            wanted["version"] = version
        return (await self._contacts.delete_one(wanted)).deleted_count == 1

    async def find(self, account: str, id_: str) -> Contact | None:
        """The contact of that id."""
        document = await self._contacts.find_one({"_id": id_, "account": account})
        return None if document is None else contact_of(document)

    async def by_ids(self, account: str, ids: Iterable[str]) -> dict[str, Contact]:
        """Those that exist, by id."""
        found = self._contacts.find({"_id": {"$in": list(ids)}, "account": account})
        return {document["_id"]: contact_of(document) async for document in found}

    async def by_numbers(self, account: str, numbers: Iterable[str]) -> dict[str, Contact]:
        """Those that exist, by number."""
        found = self._contacts.find({"account": account, "number": {"$in": list(numbers)}})
        return {document["number"]: contact_of(document) async for document in found}

    async def page(self, account: str, wanted: Filter, after: str, limit: int) -> list[Contact]:
        """In the order of their numbers, those after `after`."""
        cursor = self._page(account, wanted, after, limit)
        return [contact_of(document) for document in await cursor.to_list(limit)]

    async def count(self, account: str, group: str) -> int:
        """Members of a group; an index is counted."""
        return await self._contacts.count_documents({"account": account, "groups": group})

    async def search(self, account: str, digits: Sequence[str], words: Sequence[str], limit: int) -> list[Contact]:
        """Whose number begins with one of `digits`, or who has words that begin as `words` do."""
        found = await self._search(account, digits, words, limit).to_list(limit)
        return [contact_of(document) for document in found]

    async def insert_new(self, contacts: Sequence[Contact]) -> list[str]:
        """Insert; returned are the ids that were not, since there is such an id or such a number already."""
        if not contacts:
            return []
        try:
            await self._contacts.insert_many([document_of(contact) for contact in contacts], ordered=False)
        except BulkWriteError as error:
            failed = error.details.get("writeErrors", [])
            if error.details.get("writeConcernErrors") or any(each["code"] != _DUPLICATE_KEY for each in failed):
                raise
            return [each["op"]["_id"] for each in failed]
        return []

    async def replace_all(self, contacts: Sequence[Contact]) -> int:
        """New states, each where the version is still the one before; how many were written."""
        if not contacts:
            return 0
        writes = []
        for contact in contacts:
            values = document_of(contact)
            wanted: Document = {"_id": values.pop("_id"), "version": contact.version - 1}
            writes.append(UpdateOne(wanted, {"$set": values}))
        return (await self._contacts.bulk_write(writes, ordered=False)).matched_count

    async def restore(self, contacts: Sequence[Contact], stamp: str, now_ms: int) -> None:
        """Former states, each where that batch was the last to write; versions rise all the same."""
        if not contacts:
            return
        writes = []
        for contact in contacts:
            values = {**document_of(contact), "changed_at": now_ms}
            del values["version"]
            wanted: Document = {"_id": values.pop("_id"), "stamp": stamp}
            writes.append(UpdateOne(wanted, {"$set": values, "$inc": {"version": 1}}))
        await self._contacts.bulk_write(writes, ordered=False)

    async def remove_stamped(self, account: str, ids: Sequence[str], stamp: str) -> None:
        """Delete those that nobody but this batch has written."""
        await self._contacts.delete_many({"_id": {"$in": list(ids)}, "account": account, "stamp": stamp})

    async def change_groups(self, account: str, group: str, ids: Sequence[str], *, add: bool, now_ms: int) -> int:
        """Put contacts into a group or take them out; how many were changed."""
        wanted: Document = {"_id": {"$in": list(ids)}, "account": account, "groups": {"$ne": group} if add else group}
        change = {"$addToSet" if add else "$pull": {"groups": group}}
        written = {"$set": {"changed_at": now_ms, "stamp": None}, "$inc": {"version": 1}}
        return (await self._contacts.update_many(wanted, {**change, **written})).modified_count

    async def empty_group(self, account: str, group: str, limit: int) -> int:
        """Take up to `limit` members out of a group that is being deleted; nobody's hand changed them by that."""
        found = await self._contacts.find({"account": account, "groups": group}, {"_id": 1}).limit(limit).to_list(limit)
        ids = [document["_id"] for document in found]
        if ids:
            await self._contacts.update_many({"_id": {"$in": ids}}, {"$pull": {"groups": group}})
        return len(ids)

    async def explain_page(self, account: str, wanted: Filter, after: str, limit: int) -> Document:
        """How MongoDB answers `page`, with what it looked at."""
        explained: Document = await self._page(account, wanted, after, limit).explain()
        return explained

    async def explain_search(self, account: str, digits: Sequence[str], words: Sequence[str], limit: int) -> Document:
        """How MongoDB answers `search`, with what it looked at."""
        explained: Document = await self._search(account, digits, words, limit).explain()
        return explained

    def _page(self, account: str, wanted: Filter, after: str, limit: int) -> Cursor:
        query = wanted.query(account, after)
        cursor = self._contacts.find(query, batch_size=limit).sort("number", 1).limit(limit)
        return cursor.hint(wanted.hint())

    def _search(self, account: str, digits: Sequence[str], words: Sequence[str], limit: int) -> Cursor:
        query = search_query(account, digits, words)
        cursor = self._contacts.find(query).limit(limit).max_time_ms(_SEARCH_MS)
        return cursor.hint(_BY_NUMBER if digits else _BY_WORD)


def search_query(account: str, digits: Sequence[str], words: Sequence[str]) -> Document:
    """Ranges of an index: of numbers (`:` comes after `9`), or of words."""
    if digits:
        ranges = [{"number": {"$gte": start, "$lt": start + ":"}} for start in digits]
        return {"account": account, **(ranges[0] if len(ranges) == 1 else {"$or": ranges})}
    longest_first = sorted(words, key=len, reverse=True)
    return {"account": account, "$and": [{"words": {"$regex": f"^{word}"}} for word in longest_first]}


def mark(name: str, value: str) -> str:
    """An attribute as it is kept and looked for."""
    return f"{name}{SEPARATOR}{value}"


def document_of(contact: Contact) -> Document:
    """A contact as MongoDB keeps it."""
    return {
        "_id": contact.id,
        "account": contact.account,
        "number": contact.number,
        "name": contact.name,
        "words": words_of(contact.name),
        "language": contact.language,
        "attributes": [f"{name}{SEPARATOR}{value}" for name, value in contact.attributes.items()],
        "groups": list(contact.groups),
        "version": contact.version,
        "stamp": contact.stamp,
        "created_at": contact.created_at,
        "changed_at": contact.changed_at,
    }


def contact_of(document: Mapping[str, Any]) -> Contact:
    """The contact that a document is."""
    return Contact(
        id=document["_id"],
        account=document["account"],
        number=document["number"],
        name=document["name"],
        language=document["language"],
        attributes=dict(each.split(SEPARATOR, 1) for each in document["attributes"]),
        groups=tuple(document["groups"]),
        version=int(document["version"]),
        stamp=document["stamp"],
        created_at=int(document["created_at"]),
        changed_at=int(document["changed_at"]),
    )


def next_version(contact: Contact, now_ms: int, stamp: str | None = None) -> Contact:
    """The contact after a change: by hand, or by a batch of an import."""
    return replace(contact, version=contact.version + 1, changed_at=now_ms, stamp=stamp)
