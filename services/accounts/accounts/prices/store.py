"""Price lists in MongoDB: one document a list, which carries its own unsaid event (ARCHITECTURE R3)."""

from collections.abc import AsyncIterator

import msgspec

from accounts.prices.price_list import PriceList
from carillon.mongo import Database, Document, Index, ensure_indexes

INDEXES = {"price_lists": (Index(("pending",), where={"pending": {"$exists": True}}),)}


class PriceStore:
    """A part. Reads and writes whole lists: some ten thousand rates are two megabytes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lists = database["price_lists"]

    async def start(self) -> None:
        """Make the indexes that are missing."""
        await ensure_indexes(self._database, INDEXES)

    async def stop(self) -> None:
        """Nothing to let go: the client is another part."""

    async def add(self, price_list: PriceList) -> None:
        """A new list, with its event pending."""
        await self._lists.insert_one(_document(price_list))

    async def replace(self, price_list: PriceList, *, expected: int) -> bool:
        """Store the new state with its event pending; False when the version is no longer the expected one."""
        result = await self._lists.update_one(
            {"_id": price_list.id, "version": expected}, {"$set": _document(price_list)}
        )
        return result.matched_count == 1

    async def said(self, list_id: str, version: int) -> None:
        """The broker has this version: it is no longer pending, unless a newer one is."""
        await self._lists.update_one({"_id": list_id, "version": version}, {"$unset": {"pending": ""}})

    async def find(self, list_id: str) -> PriceList | None:
        """The list of that id."""
        document = await self._lists.find_one({"_id": list_id})
        return None if document is None else _read(document)

    async def all(self, *, pending_only: bool = False) -> AsyncIterator[PriceList]:
        """All lists in the order of their making, or those whose event is pending."""
        wanted = {"pending": {"$exists": True}} if pending_only else {}
        async for document in self._lists.find(wanted).sort("_id", 1):
            yield _read(document)


def _document(price_list: PriceList) -> Document:
    values: Document = msgspec.to_builtins(price_list)
    return {"_id": values.pop("id"), **values, "pending": True}


def _read(document: Document) -> PriceList:
    return msgspec.convert({**document, "id": document["_id"]}, PriceList)
