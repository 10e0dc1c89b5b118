"""`receipt.additions`: what is learnt of a message after its first flush, one document a milestone, only inserted.

    {_id: "<message>:finals.1", message, value: [...] or at, refs?: ["north:ref"], account?, failed?: true, number?}

`number` is there where a submit's answer was lost: a report may have to find it by its handset.

Measured on MongoDB 6.0 in batches of 500: such an insert costs the server 15-20 us, an update of the message's own
document 80-150 us. Where two events make the same milestone, the smaller or the larger value wins, as in `Milestones`.
"""

from collections.abc import Iterable

from pymongo import UpdateOne

from carillon.mongo import Collection, Database, Document, Index, insert_new, write_all
from receipt.domain.milestones import DELIVERED_RANK, Doubt, Final, Milestones, Refusal, Submission
from receipt.domain.news import News

ADDITION_INDEXES = (
    Index(("message", "_id")),
    Index(("refs",), where={"refs": {"$exists": True}}),
    Index(("account", "-message"), where={"failed": True}),
    Index(("number", "message"), where={"number": {"$exists": True}}),
)


class AdditionStore:
    """Every write commutes with every other and can be done again."""

    def __init__(self, database: Database) -> None:
        self._additions: Collection = database["additions"]

    async def add(self, news: Iterable[News]) -> set[int]:
        """Write these milestones (all but the acceptance); the messages that had one of them already are returned."""
        documents = [document for item in news for document in _documents(item)]
        existed = await insert_new(self._additions, documents)
        if existed:
            await write_all(self._additions, [_merging(one) for one in documents if one["_id"] in existed])
        return {document["message"] for document in documents if document["_id"] in existed}

    async def give(self, news: News) -> bool:
        """Write these milestones if none of them is there yet; False when somebody was faster."""
        return not await insert_new(self._additions, _documents(news))

    async def of(self, messages: Iterable[int]) -> list[Document]:
        """All additions to these messages."""
        return await self._additions.find({"message": {"$in": list(messages)}}).to_list(None)

    async def by_refs(self, refs: Iterable[str]) -> list[Document]:
        """Those with any of these `operator:ref`."""
        return await self._additions.find({"refs": {"$in": list(refs)}}).to_list(None)

    async def doubtful(self, number: str, first: int, last: int) -> list[int]:
        """Messages to a number, within an id range, of which a part's answer was lost."""
        query = {"number": number, "message": {"$gte": first, "$lte": last}}
        return [int(document["message"]) async for document in self._additions.find(query, {"message": 1})]

    async def kinds_between(self, first: int, last: int) -> dict[int, set[str]]:
        """Which milestones were added to the messages of an id range: `finals.1`, `refused`, ... (index only)."""
        found: dict[int, set[str]] = {}
        query = {"message": {"$gte": first, "$lte": last}}
        async for document in self._additions.find(query, {"message": 1}):
            found.setdefault(document["message"], set()).add(document["_id"].partition(":")[2])
        return found

    async def failed_page(self, account: str, query: Document, limit: int) -> list[int]:
        """The newest messages of an account to which a failure was added."""
        cursor = self._additions.find({"account": account, "failed": True, "message": query}, {"message": 1})
        return [int(document["message"]) async for document in cursor.sort("message", -1).limit(limit)]

    async def name_account(self, messages: Iterable[int], account: str) -> None:
        """Whose they are, where that was not known when they were written."""
        await self._additions.update_many(
            {"message": {"$in": list(messages)}, "account": {"$exists": False}}, {"$set": {"account": account}}
        )

    async def delete_until(self, until: int) -> None:
        """Delete all of messages with `id <= until`."""
        await self._additions.delete_many({"message": {"$lte": until}})


def add_to(milestones: Milestones, addition: Document) -> None:
    """Merge one addition into a message's milestones."""
    kind, _, part = addition["_id"].partition(":")[2].partition(".")
    value = addition["value"]
    if kind == "submitted":
        milestones.add_submitted(int(part), Submission(int(value[0]), value[1], value[2]))
    elif kind == "finals":
        milestones.add_final(int(part), Final(value[0], int(value[1]), value[2], value[3], value[4]))
    elif kind == "doubts":
        milestones.add_doubt(int(part), Doubt(int(value[0]), value[1]))
    elif kind == "refused":
        milestones.add_refused(Refusal(int(value[0]), value[1], value[2], value[3]))
    elif kind == "cancelled":
        milestones.cancelled = min(int(value), milestones.cancelled or int(value))
    elif kind == "scheduled":
        milestones.scheduled = min(int(value), milestones.scheduled or int(value))
    elif kind == "lost":
        milestones.lost = min(int(value), milestones.lost or int(value))


def part_of_addition(addition: Document) -> int:
    """The part that it is about."""
    return int(addition["_id"].rpartition(".")[2])


def _documents(news: News) -> list[Document]:
    milestones = news.milestones
    documents = [
        *(_document(news, f"finals.{n}", one, one.rank != DELIVERED_RANK) for n, one in milestones.finals.items()),
        *(_submission(news, part, submission) for part, submission in milestones.submitted.items()),
        *(_doubt(news, part, doubt) for part, doubt in milestones.doubts.items()),
    ]
    if milestones.refused is not None:
        documents.append(_document(news, "refused", milestones.refused, failed=True))
    if milestones.cancelled is not None:
        documents.append(_document(news, "cancelled", milestones.cancelled, failed=True))
    if milestones.scheduled is not None:
        documents.append(_document(news, "scheduled", milestones.scheduled, failed=False))
    if milestones.lost is not None:
        documents.append(_document(news, "lost", milestones.lost, failed=True))
    return documents


def _document(news: News, kind: str, value: object, failed: bool) -> Document:
    document: Document = {"_id": f"{news.id}:{kind}", "message": news.id, "value": value}
    if failed:
        document["failed"] = True
        if news.account is not None:
            document["account"] = news.account
    return document


def _submission(news: News, part: int, submission: Submission) -> Document:
    document = _document(news, f"submitted.{part}", submission, failed=False)
    refs = [ref for ref, its_part in news.refs.items() if its_part == part]
    return {**document, "refs": refs} if refs else document


def _doubt(news: News, part: int, doubt: Doubt) -> Document:
    document = _document(news, f"doubts.{part}", doubt, failed=True)
    return {**document, "number": news.number} if news.number is not None else document


def _merging(document: Document) -> UpdateOne:
    """The same milestone came from two events: keep the one that counts, and the operator's ids of both."""
    keep = "$max" if ":finals." in document["_id"] else "$min"
    update: Document = {keep: {"value": document["value"]}}
    if "refs" in document:
        update["$addToSet"] = {"refs": {"$each": document["refs"]}}
    if "failed" in document:
        update["$set"] = {"failed": True}
    return UpdateOne({"_id": document["_id"]}, update)
