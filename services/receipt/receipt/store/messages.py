"""`receipt.messages`: written in batches by the record queue, read by ids, by operators' refs, and in lists."""

from collections.abc import Iterable, Sequence
from typing import Any

from carillon.mongo import Collection, Database, Document, Index, insert_new, write_all
from carillon.runtime.ids import first_id_at
from carillon.sms.numbers import country_of
from receipt.domain.news import News
from receipt.store.message_documents import merging_update, new_document

MESSAGE_INDEXES = (
    Index(("account", "-_id")),
    Index(("account", "number", "-_id")),
    Index(("refs",), where={"refs": {"$exists": True}}),
    Index(("account", "client_ref", "-_id"), where={"client_ref": {"$exists": True}}),
    Index(("account", "campaign", "-_id"), where={"campaign": {"$exists": True}}),
    Index(("number",), where={"doubts": {"$exists": True}}),
)
_DOUBT_BEFORE_MS = 3 * 86_400_000


class MessageStore:
    """See `message_documents` for what a document holds."""

    def __init__(self, database: Database) -> None:
        self._messages: Collection = database["messages"]

    async def insert(self, news: Sequence[News]) -> tuple[list[Document], set[int]]:
        """Insert accepted messages as they are in this flush; those that were there already come back as ids."""
        documents = [new_document(item, _country(item)) for item in news]
        existed = await insert_new(self._messages, documents)
        return documents, existed

    async def merge(self, news: Sequence[News]) -> None:
        """Upserts that commute with one another; what says nothing new leaves no trace."""
        await write_all(self._messages, [merging_update(item, _country(item)) for item in news])

    async def by_ids(self, ids: Iterable[int]) -> dict[int, Document]:
        """The documents that there are."""
        return await self._find({"_id": {"$in": list(ids)}}) if ids else {}

    async def by_refs(self, refs: Iterable[str]) -> dict[int, Document]:
        """Documents with any of these `operator:ref`."""
        return await self._find({"refs": {"$in": list(refs)}}) if refs else {}

    async def doubtful(self, number: str, before_ms: int) -> list[Document]:
        """Messages to a number, of the three days before, of which a part's answer was lost."""
        range_ = {"$gte": first_id_at(before_ms - _DOUBT_BEFORE_MS), "$lt": first_id_at(before_ms + 1)}
        return list((await self._find({"number": number, "doubts": {"$exists": True}, "_id": range_})).values())

    async def adopt(self, message_id: int, part: int, submission: tuple[int, str, str], ref: str) -> bool:
        """Give an operator's id to a doubtful part that has none; False when somebody was faster."""
        field = f"submitted.{part}"
        result = await self._messages.update_one(
            {"_id": message_id, field: {"$exists": False}},
            {"$set": {field: list(submission)}, "$addToSet": {"refs": ref}},
        )
        return result.modified_count == 1

    async def unended(self, account: str, after: int, until: int, limit: int) -> list[Document]:
        """Messages of an account with `after < id <= until` that may not have come to an end, by id.

        Those of one part are told apart here; of those with several parts the caller decides.
        """
        cursor = self._messages.find(
            {
                "account": account,
                "_id": {"$gt": after, "$lte": until},
                "refused": {"$exists": False},
                "cancelled": {"$exists": False},
                "$or": [{"finals": {"$exists": False}}, {"parts": {"$gt": 1}}],
            }
        )
        return await cursor.sort("_id", 1).limit(limit).to_list(limit)

    async def one(self, account: str, message_id: int) -> Document | None:
        """A message of an account."""
        return await self._messages.find_one({"_id": message_id, "account": account})

    async def page(self, account: str, wanted: Document, before: int | None, limit: int) -> list[Document]:
        """The newest messages of an account that meet `wanted` and have an id below `before`."""
        query: Document = {**wanted, "account": account}
        if before is not None:
            query["_id"] = {**query.get("_id", {}), "$lt": before}
        return await self._messages.find(query).sort("_id", -1).limit(limit).to_list(limit)

    async def delete_until(self, until: int, limit: int) -> int:
        """Delete at most `limit` of the oldest messages with `id <= until`; how many there were."""
        ids = [
            document["_id"]
            async for document in self._messages.find({"_id": {"$lte": until}}, {"_id": 1}).sort("_id", 1).limit(limit)
        ]
        if ids:
            await self._messages.delete_many({"_id": {"$gte": ids[0], "$lte": ids[-1]}})
        return len(ids)

    async def _find(self, query: dict[str, Any]) -> dict[int, Document]:
        return {document["_id"]: document for document in await self._messages.find(query).to_list(None)}


def _country(news: News) -> str:
    return country_of(news.accepted.number) if news.accepted is not None else ""
