"""`contacts.consents`: the log of each account, `{_id: "<account>:<sequence>", sequence, previous, hash, ...}`.

Appending is an insert at the next sequence; of two that choose the same one, the unique key lets one in and the other
chains itself to it. Nothing is ever changed, but number and evidence of an erased person, which stand beside the chain.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from pymongo.errors import BulkWriteError

from carillon.mongo import Collection, Database, Document, Index
from carillon.runtime.chain import GENESIS, Verdict, Verifier
from carillon.runtime.number_hash import NumberHash
from contacts.consent.entry import CONTENT, Entry, linked, misfit

CONSENT_INDEXES: Final = (
    Index(("account", "id"), unique=True),
    Index(("account", "number_hash", "sequence")),
    Index(("account", "sequence")),
)
_BATCH: Final = 500
_ATTEMPTS: Final = 100
_LONGEST_PAUSE_S: Final = 0.05
_DUPLICATE_KEY: Final = 11_000


class BusyError(TimeoutError):
    """Too many append to one account's log at once: the same will do later."""


class ConsentLog:
    """The logs of all accounts; every query names the account."""

    def __init__(self, database: Database, numbers: NumberHash) -> None:
        self._consents: Collection = database["consents"]
        self._numbers = numbers
        # within one process nobody has to try twice
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def append(self, entries: Sequence[Entry]) -> None:
        """Durable when it returns. Entries whose id is there already are left out; the others keep their order."""
        by_account: dict[str, list[Entry]] = {}
        for entry in entries:
            by_account.setdefault(entry.account, []).append(entry)
        for account, some in by_account.items():
            async with self._turns[account]:
                for at in range(0, len(some), _BATCH):
                    await self._append(account, some[at : at + _BATCH])

    async def _append(self, account: str, entries: Sequence[Entry]) -> None:
        for _ in range(_ATTEMPTS):
            fresh = await self._unknown(account, entries)
            if not fresh:
                return
            sequence, previous = await self.head(account)
            documents: list[Document] = []
            for entry in fresh:
                sequence += 1
                document = linked(entry, sequence, previous, self._numbers)
                documents.append({"_id": f"{account}:{sequence:012d}", **document})
                previous = document["hash"]
            try:
                await self._consents.insert_many(documents, ordered=True)
                return
            except BulkWriteError as error:  # what comes before the collision is in: the rest is chained anew
                if any(failure["code"] != _DUPLICATE_KEY for failure in error.details.get("writeErrors", [])):
                    raise
            await asyncio.sleep(random.uniform(0.001, _LONGEST_PAUSE_S))  # noqa: S311  spreads those who collided
        raise BusyError("the consent log is being written by too many at once")

    async def _unknown(self, account: str, entries: Sequence[Entry]) -> list[Entry]:
        ids = list({entry.id: None for entry in entries})
        found = self._consents.find({"account": account, "id": {"$in": ids}}, {"id": 1})
        known = {document["id"] async for document in found}
        return list({entry.id: entry for entry in entries if entry.id not in known}.values())

    async def head(self, account: str) -> tuple[int, str]:
        """Sequence and hash of the last entry; of an empty log 0 and what the first entry names as the one before."""
        last = await self._consents.find_one({"account": account}, {"sequence": 1, "hash": 1}, sort=[("sequence", -1)])
        return (0, GENESIS) if last is None else (int(last["sequence"]), last["hash"])

    async def redact(self, account: str, number_hash: bytes) -> int:
        """Take number and evidence away from all entries of a person; the chain holds all the same. How many."""
        wanted = {"account": account, "number_hash": number_hash.hex()}
        result = await self._consents.update_many(wanted, {"$set": {"number": None, "evidence": None}})
        return result.modified_count

    async def page(self, account: str, number_hash: bytes | None, after: int, limit: int) -> list[Document]:
        """Entries in their order, after that sequence; of one number, or of all."""
        wanted: Document = {"account": account, "sequence": {"$gt": after}}
        if number_hash is not None:
            wanted["number_hash"] = number_hash.hex()
        found = await self._consents.find(wanted, {"_id": 0}).sort("sequence", 1).limit(limit).to_list(limit)
        return [_plain(document) for document in found]

    async def find(self, account: str, id_: str) -> Document | None:
        """The entry of that id."""
        found = await self._consents.find_one({"account": account, "id": id_}, {"_id": 0})
        return None if found is None else _plain(found)

    async def all(self, account: str) -> AsyncIterator[Document]:
        """The whole log of an account, in order."""
        async for document in self._consents.find({"account": account}, {"_id": 0}).sort("sequence", 1):
            yield _plain(document)

    async def verify(self, account: str) -> Verdict:
        """Read the whole log: whether each entry follows from the one before, and what stands beside it fits."""
        verifier = Verifier()
        async for kept in self.all(account):
            content: dict[str, Any] = {field: kept.get(field) for field in CONTENT}
            if not verifier.take(kept["sequence"], kept["previous"], kept["hash"], content):
                break
            wrong = misfit(kept, self._numbers)
            if wrong is not None:
                return Verdict(kept["sequence"], kept["hash"], kept["sequence"], wrong)
        return verifier.verdict


def _plain(document: Document) -> Document:
    """BSON's own integers become Python's: they are hashed and shown."""
    return {**document, "sequence": int(document["sequence"]), "at": int(document["at"])}
