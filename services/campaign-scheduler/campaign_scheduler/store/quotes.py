"""`campaign_scheduler.quotes`: audiences that are being counted, page by page.

    {_id: quo_..., account, campaign?, definition, counts, page, after, is_ready, asked_at, expires_at}

`definition` and `counts` are JSON text: placeholders' names and codes need not be field names of MongoDB.
"""

from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from campaign_scheduler.domain.campaign import Campaign
from campaign_scheduler.domain.quote import Counts
from carillon.events.audience import Audience
from carillon.mongo import Collection, Database, Document, Index

QUOTE_INDEXES = (
    Index(("asked_at",), where={"is_ready": False}),
    Index(("expires_at",), expire_after_s=0),
)
_KEEP_S = 7 * 86_400


class Definition(Struct, frozen=True, kw_only=True):
    """What is counted, as it was when it was asked."""

    audience: Audience
    contents: dict[str, str]
    language: str
    stop_mention: str = ""

    @classmethod
    def of(cls, campaign: Campaign) -> "Definition":
        """Of a campaign whose contents are frozen."""
        return cls(
            audience=campaign.audience,
            contents=campaign.contents,
            language=campaign.language,
            stop_mention=campaign.stop_mention,
        )


class Quote(Struct, kw_only=True):
    """`page` is the page that is waited for, from 0."""

    id: str
    account: str
    campaign: str | None
    definition: Definition
    counts: Counts
    page: int = 0
    after: str = ""
    is_ready: bool = False
    asked_at: int


class QuoteStore:
    """Each page counts once: the page that is waited for is compared and set."""

    def __init__(self, database: Database) -> None:
        self._quotes: Collection = database["quotes"]

    async def add(self, quote: Quote) -> None:
        """A new one."""
        expires_at = datetime.fromtimestamp(quote.asked_at / 1000 + _KEEP_S, UTC)
        document: Document = {
            "_id": quote.id,
            "account": quote.account,
            "campaign": quote.campaign,
            "definition": msgspec.json.encode(quote.definition).decode(),
            "expires_at": expires_at,
            **_moving(quote),
        }
        await self._quotes.insert_one(document)

    async def get(self, quote_id: str) -> Quote | None:
        """For what comes over the bus, and for those who know the id from a campaign of theirs."""
        found = await self._quotes.find_one({"_id": quote_id})
        return None if found is None else _quote(found)

    async def counted(self, quote: Quote, page: int) -> bool:
        """Store the counts with page `page`; False when it was counted before."""
        result = await self._quotes.update_one({"_id": quote.id, "page": page}, {"$set": _moving(quote)})
        return result.matched_count == 1

    async def waiting(self, before_ms: int, limit: int) -> list[Quote]:
        """Those whose page was asked for before that and has not come."""
        query = {"is_ready": False, "asked_at": {"$lte": before_ms}}
        return [_quote(document) for document in await self._quotes.find(query).limit(limit).to_list(limit)]

    async def asked(self, quote: Quote, now_ms: int) -> None:
        """The page was asked for again."""
        await self._quotes.update_one({"_id": quote.id, "page": quote.page}, {"$set": {"asked_at": now_ms}})


def _moving(quote: Quote) -> Document:
    return {
        "counts": msgspec.json.encode(quote.counts).decode(),
        "page": quote.page,
        "after": quote.after,
        "is_ready": quote.is_ready,
        "asked_at": quote.asked_at,
    }


def _quote(document: Document) -> Quote:
    return Quote(
        id=document["_id"],
        account=document["account"],
        campaign=document["campaign"],
        definition=msgspec.json.decode(document["definition"], type=Definition),
        counts=msgspec.json.decode(document["counts"], type=Counts),
        page=document["page"],
        after=document["after"],
        is_ready=document["is_ready"],
        asked_at=int(document["asked_at"]),
    )
