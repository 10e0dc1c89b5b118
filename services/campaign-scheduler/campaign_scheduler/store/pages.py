"""`campaign_scheduler.pages`: the recipients of a campaign, a page a document, inserted before any of it is said.

    {_id: "cmp_...:00000012", campaign, page, after, is_last, made_at, recipients, suppressed,
     refused: [[number, code]], refusals, parts, first_id, messages,
     batches: [{at, rule, count, is_said, body}], revision, alsatians: [number],
     unsaid: messages not said yet, due_at: when the first of them may be,
     states: one byte a message, told: [a count a class], version, is_handed, is_open}

Message `first_id + n` of a page is byte n of `states`. A batch's `body` is its `message.accepted` as JSON until it is
said, so that who says it again says the same.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from bson import Binary
from pymongo import UpdateOne

from campaign_scheduler.domain.page import Batch, Page
from campaign_scheduler.domain.progress import Pages, Tally, tally_of
from carillon.events.message import Accepted
from carillon.mongo import Collection, Database, Document, Index, insert_new

PAGE_INDEXES = (
    Index(("campaign", "page")),
    Index(("campaign", "first_id")),
    Index(("campaign", "unsaid", "page")),
    Index(("campaign", "is_handed", "unsaid")),
    Index(("campaign", "is_open")),
)
_TALLY = Tally.__struct_fields__
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Accepted]).decode


class Told(NamedTuple):
    """How far a page's messages are, as it was read at `version`."""

    id: str
    first_id: int
    messages: int
    states: bytes
    version: int


class Unsaid(NamedTuple):
    """A page with something to say: its batches by place."""

    id: str
    page: int
    revision: int
    batches: list[Document]
    alsatians: frozenset[str]


class PageStore:
    """Pages are inserted once; then batches become said, and states only rise."""

    def __init__(self, database: Database) -> None:
        self._pages: Collection = database["pages"]

    async def insert(
        self,
        campaign: str,
        number: int,
        page: Page,
        *,
        after: str,
        is_last: bool,
        now_ms: int,
        alsatians: Sequence[str] = (),
    ) -> bool:
        """False when that page is there already: then this one was never."""
        states = bytes(page.messages)
        document: Document = {
            "_id": page_id(campaign, number),
            "campaign": campaign,
            "page": number,
            "after": after,
            "is_last": is_last,
            "made_at": now_ms,
            "recipients": page.recipients,
            "suppressed": page.suppressed,
            "refused": [list(each) for each in page.refused],
            "refusals": len(page.refused),
            "parts": page.parts,
            "first_id": page.first_id,
            "messages": page.messages,
            "batches": [_batch(batch) for batch in page.batches],
            "revision": 0,
            "alsatians": list(alsatians),
            "unsaid": page.messages,
            "due_at": min((batch.at for batch in page.batches), default=0),
            "version": 0,
            **_told(states),
        }
        return not await insert_new(self._pages, [document])

    async def end_of(self, campaign: str, number: int) -> tuple[str, bool]:
        """The last number of a stored page, and whether it is the last."""
        found = await self._pages.find_one({"_id": page_id(campaign, number)}, {"after": 1, "is_last": 1})
        assert found is not None
        return found["after"], found["is_last"]

    async def unsaid(self, campaign: str, now_ms: int, limit: int) -> list[Unsaid]:
        """The first pages that have something to say now."""
        query = {"campaign": campaign, "unsaid": {"$gt": 0}, "due_at": {"$lte": now_ms}}
        fields = {"page": 1, "revision": 1, "batches": 1, "alsatians": 1}
        return [_unsaid(d) for d in await self._pages.find(query, fields).sort("page", 1).limit(limit).to_list(limit)]

    async def some(self, campaign: str, numbers: Iterable[int]) -> list[Unsaid]:
        """These pages."""
        ids = [page_id(campaign, number) for number in numbers]
        return [_unsaid(document) async for document in self._pages.find({"_id": {"$in": ids}})]

    async def said(self, campaign: str, saying: Sequence[tuple[int, int, int]]) -> None:
        """Mark batches (page, place, messages) as said; told again, this changes nothing."""
        writes = [
            UpdateOne(
                {"_id": page_id(campaign, number), f"batches.{place}.is_said": False},
                [
                    {"$set": {"batches": _with_said(place), "unsaid": {"$subtract": ["$unsaid", count]}}},
                    # with a revision of its own: who read the page before must not write it back unsaid
                    {"$set": {"due_at": _FIRST_DUE, "revision": {"$add": ["$revision", 1]}}},
                ],
            )
            for number, place, count in saying
        ]
        if writes:
            await self._pages.bulk_write(writes, ordered=True)

    async def split(self, page: Unsaid, place: int, batches: Sequence[Batch]) -> Unsaid | None:
        """Part of a batch has to wait again, or it was paid: it becomes these; None when somebody else was faster.

        The first takes its place and the others go to the end: what was decided names batches by their places.
        """
        first, *others = map(_batch, batches)
        listed = [*page.batches[:place], first, *page.batches[place + 1 :], *others]
        due_at = min(batch["at"] for batch in listed if not batch["is_said"])
        result = await self._pages.update_one(
            {"_id": page.id, "revision": page.revision},
            {"$set": {"batches": listed, "revision": page.revision + 1, "due_at": due_at}},
        )
        return page._replace(revision=page.revision + 1, batches=listed) if result.matched_count else None

    async def waiting(self, campaign: str, now_ms: int, limit: int) -> tuple[int, int]:
        """How many pages have something to say now, and how many have at all; both up to `limit`."""
        query: Document = {"campaign": campaign, "unsaid": {"$gt": 0}}
        found = await self._pages.find(query, {"due_at": 1}).limit(limit).to_list(limit)
        return sum(document["due_at"] <= now_ms for document in found), len(found)

    async def on_the_way(self, campaign: str, limit: int) -> int:
        """How many pages were said and are not wholly with operators yet."""
        return await self._pages.count_documents({"campaign": campaign, "is_handed": False, "unsaid": 0}, limit=limit)

    async def is_open(self, campaign: str) -> bool:
        """Whether some message has no last word yet."""
        return await self._pages.find_one({"campaign": campaign, "is_open": True}, {"_id": 1}) is not None

    async def at(self, campaign: str, message_id: int) -> Told | None:
        """The page that has this message."""
        query = {"campaign": campaign, "first_id": {"$lte": message_id}}
        found = await self._pages.find(query, _TOLD_FIELDS).sort("first_id", -1).limit(1).to_list(1)
        told = _read_told(found[0]) if found else None
        return told if told is not None and message_id < told.first_id + told.messages else None

    async def reread(self, ids: Iterable[str]) -> dict[str, Told]:
        """How far these pages are by now."""
        found = self._pages.find({"_id": {"$in": list(ids)}}, _TOLD_FIELDS)
        return {document["_id"]: _read_told(document) async for document in found}

    async def advance(self, changes: Sequence[tuple[Told, bytes]]) -> bool:
        """Write new states, each against the version that was read; False when some of them was changed meanwhile."""
        result = await self._pages.bulk_write(
            [
                UpdateOne(
                    {"_id": told.id, "version": told.version}, {"$set": {"version": told.version + 1, **_told(states)}}
                )
                for told, states in changes
            ],
            ordered=False,
        )
        return result.matched_count == len(changes)

    async def sums(self, campaigns: Sequence[str]) -> dict[str, Pages]:
        """All pages of each together. A page adds up in itself, so the sum does, whenever each of them was read."""
        group: Document = {name: {"$sum": f"${name}"} for name in ("recipients", "suppressed", "unsaid", "parts")}
        group["refused"] = {"$sum": "$refusals"}
        group |= {f"told_{name}": {"$sum": {"$arrayElemAt": ["$told", n]}} for n, name in enumerate(_TALLY)}
        found = self._pages.aggregate(
            [{"$match": {"campaign": {"$in": list(campaigns)}}}, {"$group": {"_id": "$campaign", **group}}]
        )
        return {document["_id"]: _summed(document) async for document in found}

    async def refused(self, campaign: str, limit: int) -> list[tuple[str, str]]:
        """The first recipients that have no text: number and code."""
        found: list[tuple[str, str]] = []
        query = {"campaign": campaign, "refusals": {"$gt": 0}}
        async for document in self._pages.find(query, {"refused": 1}).sort("page", 1).limit(limit):
            found += [(number, code) for number, code in document["refused"]]
        return found[:limit]

    async def deferred(self, campaign: str) -> list[tuple[str, int, int]]:
        """What waits for a window: rule, until when, how many messages."""
        found = self._pages.aggregate(
            [
                {"$match": {"campaign": campaign, "unsaid": {"$gt": 0}}},
                {"$unwind": "$batches"},
                {"$match": {"batches.is_said": False, "batches.rule": {"$ne": None}}},
                {"$group": {"_id": ["$batches.rule", "$batches.at"], "count": {"$sum": "$batches.count"}}},
                {"$sort": {"_id": 1}},
                {"$limit": 100},
            ]
        )
        return [(document["_id"][0], int(document["_id"][1]), document["count"]) async for document in found]


_TOLD_FIELDS = {"first_id": 1, "messages": 1, "states": 1, "version": 1}
_FIRST_DUE: Document = {
    "$ifNull": [
        {
            "$min": {
                "$map": {
                    "input": {"$filter": {"input": "$batches", "cond": {"$not": "$$this.is_said"}}},
                    "in": "$$this.at",
                }
            }
        },
        0,
    ]
}


def page_id(campaign: str, number: int) -> str:
    """Sorts by number."""
    return f"{campaign}:{number:08d}"


def messages_of(batch: Document) -> list[Accepted]:
    """The messages of a stored batch that is not said."""
    return _decode(bytes(batch["body"]))


def _summed(sums: Document) -> Pages:
    return Pages(
        recipients=sums["recipients"],
        suppressed=sums["suppressed"],
        refused=sums["refused"],
        unsaid=sums["unsaid"],
        parts=sums["parts"],
        tally=Tally(**{name: sums[f"told_{name}"] for name in _TALLY}),
    )


def _with_said(place: int) -> Document:
    """All batches, the one at `place` said and without its body."""
    return {
        "$map": {
            "input": {"$range": [0, {"$size": "$batches"}]},
            "as": "place",
            "in": {
                "$cond": [
                    {"$eq": ["$$place", place]},
                    {
                        "$mergeObjects": [
                            {"$arrayElemAt": ["$batches", "$$place"]},
                            {"is_said": True, "body": None},
                        ]
                    },
                    {"$arrayElemAt": ["$batches", "$$place"]},
                ]
            },
        }
    }


def _batch(batch: Batch) -> Document:
    return {
        "at": batch.at,
        "rule": batch.rule,
        "count": len(batch.messages),
        "is_said": False,
        "body": Binary(_encode(batch.messages)),
    }


def _unsaid(document: Document) -> Unsaid:
    return Unsaid(
        document["_id"],
        document["page"],
        document["revision"],
        document["batches"],
        frozenset(document["alsatians"]),
    )


def _told(states: bytes) -> dict[str, Any]:
    tally = tally_of(states)
    return {
        "states": Binary(states),
        "told": list(msgspec.structs.astuple(tally)),
        "is_handed": tally.is_handed,
        "is_open": tally.is_open,
    }


def _read_told(document: Document) -> Told:
    return Told(
        document["_id"],
        int(document["first_id"]),
        document["messages"],
        bytes(document["states"]),
        document["version"],
    )
