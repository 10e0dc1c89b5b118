"""`contacts.file_rows`: what a file says of each number, without any contact, `{_id: "<import>:<number>", body}`.

The file is the audience of campaigns, or it is only tried (dry run). By `_id` the numbers come in their order.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import msgpack
from pymongo import ReplaceOne

from carillon.mongo import Collection, Database, Document
from contacts.domain.contact import Contact

_encoder: Final = msgpack.Encoder()
_decoder: Final = msgpack.Decoder(Contact)


class FileRowStore:
    """Rows by import and number."""

    def __init__(self, database: Database) -> None:
        self._rows: Collection = database["file_rows"]

    async def put(self, import_: str, contacts: Sequence[Contact]) -> None:
        """Store these states, over those that are there."""
        if contacts:
            writes = [ReplaceOne({"_id": f"{import_}:{one.number}"}, _document(one), upsert=True) for one in contacts]
            await self._rows.bulk_write(writes, ordered=False)

    async def by_numbers(self, import_: str, numbers: Iterable[str]) -> dict[str, Contact]:
        """Those that are there, by number."""
        found = self._rows.find({"_id": {"$in": [f"{import_}:{number}" for number in numbers]}})
        return {row.number: row async for document in found for row in (_decoder.decode(document["body"]),)}

    async def page(self, import_: str, after: str, limit: int) -> list[Contact]:
        """In the order of their numbers, those after `after`."""
        wanted = {"_id": {"$gt": f"{import_}:{after}", "$lt": f"{import_};"}}
        found = await self._rows.find(wanted, batch_size=limit).sort("_id", 1).limit(limit).to_list(limit)
        return [_decoder.decode(document["body"]) for document in found]

    async def remove_number(self, import_: str, number: str) -> None:
        """What it says of one number."""
        await self._rows.delete_one({"_id": f"{import_}:{number}"})

    async def remove(self, import_: str) -> None:
        """All of an import."""
        await self._rows.delete_many({"_id": {"$gte": f"{import_}:", "$lt": f"{import_};"}})


def _document(contact: Contact) -> Document:
    return {"body": _encoder.encode(contact)}
