"""`contacts.inbound_reviews`: texts that speak of STOP and are not clear, until a person has read them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Literal

from carillon.events.report import InboundAttributed
from carillon.mongo import Collection, Database, Document, Index, insert_new

Decision = Literal["stop", "ignore"]

_KEPT_S: Final = 180 * 86_400
REVIEW_INDEXES: Final = (
    Index(("account", "state", "-_id")),
    Index(("account", "number")),
    Index(("kept_from",), expire_after_s=_KEPT_S),
)


class ReviewStore:
    """Reviews of all accounts; every query names the account."""

    def __init__(self, database: Database) -> None:
        self._reviews: Collection = database["inbound_reviews"]

    async def add(self, unclear: Sequence[InboundAttributed]) -> None:
        """Keep each once. Those without an account are the platform's to look at."""
        await insert_new(
            self._reviews,
            [
                {
                    "_id": each.inbound.id,
                    "account": each.account,
                    "number": each.inbound.number,
                    "to": each.inbound.to,
                    "text": each.inbound.text,
                    "at": each.inbound.at,
                    "state": "open",
                    "kept_from": datetime.fromtimestamp(each.inbound.at / 1000, UTC),
                }
                for each in unclear
            ],
        )

    async def page(self, account: str, after: int | None, limit: int) -> list[Document]:
        """Those that nobody has decided, the newest first."""
        wanted: Document = {"account": account, "state": "open"}
        if after is not None:
            wanted["_id"] = {"$lt": after}
        return await self._reviews.find(wanted).sort("_id", -1).limit(limit).to_list(limit)

    async def find(self, account: str, id_: int) -> Document | None:
        """One of an account."""
        return await self._reviews.find_one({"_id": id_, "account": account})

    async def decide(self, account: str, id_: int, decision: Decision) -> None:
        """It has been read."""
        await self._reviews.update_one({"_id": id_, "account": account}, {"$set": {"state": decision}})

    async def of(self, account: str, number: str) -> list[Document]:
        """All of one number."""
        return await self._reviews.find({"account": account, "number": number}).sort("_id", 1).to_list(None)

    async def forget(self, account: str, number: str) -> None:
        """The texts of a person are gone."""
        await self._reviews.delete_many({"account": account, "number": number})
