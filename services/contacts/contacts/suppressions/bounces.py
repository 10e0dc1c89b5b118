"""Contact cleaning: numbers that operators say do not exist, `contacts.bounces`: `{_id: hash, account, number, ...}`.

One such word may be an operator's mistake, so a number is suppressed when it was said of several messages within the
time that is looked back on.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from pymongo import UpdateOne

from carillon.bus import Delivery
from carillon.events.message import Bounced
from carillon.mongo import Collection, Database, Document, Index, write_all
from carillon.runtime.number_hash import NumberHash
from contacts.suppressions.domain import Change
from contacts.suppressions.handlers import ChangeSuppressions

_LOOK_BACK_S: Final = 90 * 86_400
BOUNCE_INDEXES: Final = (Index(("account", "-at", "-_id")), Index(("last_at",), expire_after_s=_LOOK_BACK_S))


class BounceStore:
    """Flagged numbers of all accounts; every query names the account."""

    def __init__(self, database: Database, numbers: NumberHash) -> None:
        self._bounces: Collection = database["bounces"]
        self._hash = numbers.of

    async def add(self, bounces: Sequence[Bounced]) -> None:
        """Count each message once, however often it is said."""
        await write_all(
            self._bounces,
            [
                UpdateOne(
                    {"_id": self._hash(bounce.account, bounce.number)},
                    {
                        "$set": {"account": bounce.account, "number": bounce.number, "error": bounce.error},
                        "$addToSet": {"messages": bounce.id},
                        "$max": {"at": bounce.at, "last_at": datetime.fromtimestamp(bounce.at / 1000, UTC)},
                    },
                    upsert=True,
                )
                for bounce in bounces
            ],
        )

    async def bounced_often(self, bounces: Sequence[Bounced], times: int) -> list[Document]:
        """Those of these numbers that at least so many messages did not reach."""
        hashes = {self._hash(bounce.account, bounce.number): None for bounce in bounces}
        wanted = {"_id": {"$in": list(hashes)}, f"messages.{times - 1}": {"$exists": True}}
        return await self._bounces.find(wanted).to_list(None)

    async def page(self, account: str, after: tuple[int, str] | None, limit: int) -> list[Document]:
        """The newest first, after the place (`at`, hash in hex)."""
        wanted: Document = {"account": account}
        if after is not None:
            moment, hash_ = after[0], bytes.fromhex(after[1])
            wanted["$or"] = [{"at": {"$lt": moment}}, {"at": moment, "_id": {"$lt": hash_}}]
        return await self._bounces.find(wanted).sort([("at", -1), ("_id", -1)]).limit(limit).to_list(limit)

    async def find(self, account: str, number: str) -> Document | None:
        """What is known of a number."""
        return await self._bounces.find_one({"_id": self._hash(account, number)})

    async def forget(self, account: str, number: str) -> None:
        """Nothing is known of it any more."""
        await self._bounces.delete_one({"_id": self._hash(account, number)})


class CountBounces:
    """`message.bounced`: flag the number; suppress it when it was said of `times` messages."""

    def __init__(self, store: BounceStore, change: ChangeSuppressions, times: int) -> None:
        self._store = store
        self._change = change
        self._times = times

    async def __call__(self, deliveries: Sequence[Delivery]) -> None:
        """Two round trips a batch, and a change for those that have bounced often enough."""
        bounces = [each for delivery in deliveries for each in delivery.records if isinstance(each, Bounced)]
        await self._store.add(bounces)
        often = await self._store.bounced_often(bounces, self._times)
        if often:
            await self._change.apply([_change_of(document) for document in often])


def _change_of(document: Document) -> Change:
    messages = [int(message) for message in document["messages"]]
    return Change(
        id=f"bnc_{messages[-1]}",
        account=document["account"],
        number=document["number"],
        reason="bounced",
        source="bounced",
        evidence=f"{document['error']}: messages {', '.join(map(str, messages[-5:]))}",
        at=int(document["at"]),
    )
