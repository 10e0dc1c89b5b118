"""`receipt.messages`: inserted in batches by the record queue, read by ids, by operators' refs, and in lists."""

from collections.abc import AsyncIterator, Iterable, Sequence

from carillon.mongo import Collection, Database, Document, Index, insert_new
from carillon.sms.numbers import country_of
from receipt.domain.news import News
from receipt.store.message_documents import COUNTED, MILESTONES, new_document

MESSAGE_INDEXES = (
    Index(("account", "-_id")),
    Index(("account", "number", "-_id")),
    Index(("refs",), where={"refs": {"$exists": True}}),
    Index(("account", "client_ref", "-_id"), where={"client_ref": {"$exists": True}}),
    Index(("account", "campaign", "-_id"), where={"campaign": {"$exists": True}}),
    Index(("account", "failed", "-_id"), where={"failed": True}),
    Index(("account", "due_from"), where={"due_from": {"$exists": True}}),
    Index(("number", "_id"), where={"doubts": {"$exists": True}}),
)
_LATEST = 50  # of these, whoever used the very sender is looked for


_COUNTABLE = dict.fromkeys((*COUNTED, *MILESTONES), 1)


class MessageStore:
    """See `message_documents` for what a document holds."""

    def __init__(self, database: Database) -> None:
        self._messages: Collection = database["messages"]

    async def insert(self, news: Sequence[News]) -> tuple[list[Document], set[int]]:
        """Insert accepted messages as they are in this flush; those that were there already come back as ids."""
        documents = [new_document(item, country_of(item.accepted.number if item.accepted else "")) for item in news]
        return documents, await insert_new(self._messages, documents)

    async def by_ids(self, ids: Iterable[int]) -> dict[int, Document]:
        """The documents that there are."""
        found = await self._messages.find({"_id": {"$in": list(ids)}}).to_list(None)
        return {int(document["_id"]): document for document in found}

    async def by_refs(self, refs: Iterable[str]) -> list[Document]:
        """Documents with any of these `operator:ref`."""
        return await self._messages.find({"refs": {"$in": list(refs)}}).to_list(None)

    async def doubtful(self, number: str, first: int, last: int) -> list[int]:
        """Messages to a number, within an id range, of which a part's answer was lost (as their first flush said)."""
        query = {"number": number, "doubts": {"$exists": True}, "_id": {"$gte": first, "$lte": last}}
        return [int(document["_id"]) async for document in self._messages.find(query, {"_id": 1})]

    async def senders_to(self, number: str, accounts: Sequence[str], after: int) -> list[tuple[str, str]]:
        """Account and sender of the newest messages to a handset with `id > after`, newest first, at most 50."""
        query = {
            "account": {"$in": list(accounts)},
            "number": number,
            "_id": {"$gt": after},
            "refused": {"$exists": False},
        }
        cursor = self._messages.find(query, {"account": 1, "sender": 1}).sort("_id", -1).limit(_LATEST)
        return [(document["account"], document["sender"]) async for document in cursor]

    async def unended(self, account: str, after: int, until: int, limit: int) -> list[Document]:
        """Messages of an account with `after < id <= until`, by id: `{_id, parts}` of those not refused at once."""
        cursor = self._messages.find(
            {
                "account": account,
                "_id": {"$gt": after, "$lte": until},
                "refused": {"$exists": False},
                "cancelled": {"$exists": False},
                "due_from": {"$exists": False},
            },
            {"parts": 1},
        )
        return await cursor.sort("_id", 1).limit(limit).to_list(limit)

    async def due_between(
        self, account: str, after_ms: int, until_ms: int, limit: int
    ) -> AsyncIterator[dict[int, int]]:
        """Messages that were awaited from a moment of their own in `after < moment <= until`: id to moment, in lots."""
        found: dict[int, int] = {}
        query = {"account": account, "due_from": {"$gt": after_ms, "$lte": until_ms}}
        async for document in self._messages.find(query, {"due_from": 1}):
            found[int(document["_id"])] = int(document["due_from"])
            if len(found) == limit:
                yield found
                found = {}
        if found:
            yield found

    async def countable(self, account: str, after: int, until: int, limit: int) -> list[Document]:
        """Messages of an account with `after < id <= until`, by id: what statistics need of them."""
        query = {"account": account, "_id": {"$gt": after, "$lte": until}}
        return await self._messages.find(query, _COUNTABLE).sort("_id", 1).limit(limit).to_list(limit)

    async def one(self, account: str, message_id: int) -> Document | None:
        """A message of an account."""
        return await self._messages.find_one({"_id": message_id, "account": account})

    async def page(self, account: str, wanted: Document, limit: int) -> list[Document]:
        """The newest messages of an account that meet `wanted`."""
        return await self._messages.find({**wanted, "account": account}).sort("_id", -1).limit(limit).to_list(limit)

    async def delete_until(self, until: int, limit: int) -> int | None:
        """Delete at most `limit` of the oldest messages with `id <= until`; the last id that was deleted."""
        ids = [
            document["_id"]
            async for document in self._messages.find({"_id": {"$lte": until}}, {"_id": 1}).sort("_id", 1).limit(limit)
        ]
        if not ids:
            return None
        await self._messages.delete_many({"_id": {"$gte": ids[0], "$lte": ids[-1]}})
        return int(ids[-1])
