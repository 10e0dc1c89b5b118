"""`receipt.disabled_urls`: URLs that answered 410 Gone, by account. None is called until it is enabled."""

from hashlib import sha256
from typing import NamedTuple

from carillon.mongo import Collection, Database, Index

DISABLED_INDEXES = (Index(("account",)),)


class Disabled(NamedTuple):
    """A URL of an account, and since when it is not called."""

    id: str
    url: str
    at_ms: int


def disabled_id(account: str, url: str) -> str:
    """A short name for a URL of an account."""
    return "url_" + sha256(f"{account} {url}".encode()).hexdigest()[:24]


class DisabledUrls:
    """The set of all of them is small: `refresh` reads it whole, `has` looks at what was read."""

    def __init__(self, database: Database) -> None:
        self._urls: Collection = database["disabled_urls"]
        self._known: frozenset[str] = frozenset()

    def has(self, account: str, url: str) -> bool:
        """Whether this URL is disabled, as of the last refresh."""
        return bool(self._known) and disabled_id(account, url) in self._known

    async def refresh(self) -> None:
        """Read what all processes have found."""
        self._known = frozenset([document["_id"] async for document in self._urls.find({}, {"_id": 1})])

    async def disable(self, account: str, url: str, now_ms: int) -> None:
        """It answered 410."""
        id_ = disabled_id(account, url)
        self._known |= {id_}
        await self._urls.update_one(
            {"_id": id_}, {"$setOnInsert": {"account": account, "url": url, "at": now_ms}}, upsert=True
        )

    async def enable(self, account: str, id_: str) -> bool:
        """Call it again from now on; False when it was not disabled."""
        result = await self._urls.delete_one({"_id": id_, "account": account})
        self._known -= {id_}
        return result.deleted_count == 1

    async def of_account(self, account: str) -> list[Disabled]:
        """What an account is told."""
        return [
            Disabled(document["_id"], document["url"], int(document["at"]))
            async for document in self._urls.find({"account": account}).sort("at", -1)
        ]
