"""Batches: one round trip for up to 500 documents, and duplicates told apart from failures."""

from collections.abc import Sequence
from typing import Any

from pymongo import InsertOne, UpdateOne
from pymongo.errors import BulkWriteError

from carillon.mongo.client import Collection, Document

_DUPLICATE_KEY = 11_000


async def insert_new(collection: Collection, documents: Sequence[Document]) -> set[Any]:
    """Insert all that are not there yet; the `_id`s of those that were there already are returned.

    A duplicate on another unique index, and every other write error, raises `BulkWriteError`.
    """
    if not documents:
        return set()
    try:
        await collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        details = error.details
        failed = details.get("writeErrors", [])
        if details.get("writeConcernErrors") or any(not _is_duplicate_id(failure) for failure in failed):
            raise
        return {failure["op"]["_id"] for failure in failed}
    return set()


async def write_all(collection: Collection, writes: Sequence[UpdateOne | InsertOne[Document]]) -> None:
    """Unordered bulk write. Two processes that upsert the same new `_id` at once collide; the loser tries again."""
    if not writes:
        return
    try:
        await collection.bulk_write(writes, ordered=False)
    except BulkWriteError as error:
        failed = error.details.get("writeErrors", [])
        if error.details.get("writeConcernErrors") or any(failure["code"] != _DUPLICATE_KEY for failure in failed):
            raise
        await collection.bulk_write([writes[failure["index"]] for failure in failed], ordered=False)


def replace_if_newer(id_: object, version: int, fields: Document) -> UpdateOne:
    """An upsert that keeps the document with the higher `version`, whatever order writes come in."""
    newer = {"$gt": [version, {"$ifNull": ["$version", 0]}]}
    values = {"version": version, **{name: {"$literal": value} for name, value in fields.items()}}
    return UpdateOne(
        {"_id": id_},
        [{"$set": {name: {"$cond": [newer, value, f"${name}"]} for name, value in values.items()}}],
        upsert=True,
    )


def _is_duplicate_id(failure: Document) -> bool:
    return bool(failure["code"] == _DUPLICATE_KEY and "_id" in failure.get("keyPattern", {"_id": 1}))
