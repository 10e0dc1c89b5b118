"""Which id a client's own reference got at the legacy door.

`refs`: `{_id: "<account> <ref>", message: id, said: whether the broker confirmed it, at}`, gone after 24 h. The record
is there before the first publish: whoever comes again with the reference, after a crash of ours too, gets and says
the same id, and every listener is idempotent on it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from carillon.mongo import Collection, Database, Document, Index, ensure_indexes, insert_new
from carillon.runtime.clock import Clock
from carillon.runtime.committer import Committer, OverloadedError

REMEMBERED_S: Final = 86_400
INDEXES: Final = {"refs": (Index(("at",), expire_after_s=REMEMBERED_S),)}

_TRIES = 3


@dataclass(slots=True)
class Claim:
    """One reference and the id proposed for it; after `Refs.settle` the id that holds, and whether it was said."""

    key: str
    message: int
    said: bool = False


class Refs:
    """A part: claims and marks are written in groups."""

    def __init__(self, database: Database, clock: Clock, *, max_waiting: int) -> None:
        self._database = database
        self._collection: Collection = database["refs"]
        self._clock = clock
        self._claims: Committer[Claim] = Committer(self._write_claims, max_waiting=max_waiting)
        self._marks: Committer[str] = Committer(self._write_marks, max_waiting=max_waiting)

    async def start(self) -> None:
        """Make the index by which MongoDB forgets."""
        await ensure_indexes(self._database, INDEXES)

    async def stop(self) -> None:
        """Return when everything is written."""
        await self._claims.drain()
        await self._marks.drain()

    async def settle(self, account: str, ref: str, message: int) -> Claim:
        """Claim `ref` for the id `message`, or learn which id has it; raises `OverloadedError` or MongoDB's errors."""
        claim = Claim(f"{account} {ref}", message)
        await self._claims.add(claim)
        return claim

    def mark_said(self, claim: Claim) -> None:
        """Note, a little later, that the broker has it. A mark that gets lost costs a publish that changes nothing."""
        try:
            self._marks.add_then(claim.key, _ignore)
        except OverloadedError:
            return

    async def _write_claims(self, claims: list[Claim]) -> None:
        for _ in range(_TRIES):
            at = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
            existed = await insert_new(
                self._collection,
                [{"_id": claim.key, "message": claim.message, "said": False, "at": at} for claim in claims],
            )
            if not existed:
                return
            holders: dict[str, Document] = {
                holder["_id"]: holder async for holder in self._collection.find({"_id": {"$in": list(existed)}})
            }
            for claim in claims:
                holder = holders.get(claim.key)
                if holder is not None:
                    claim.message, claim.said = int(holder["message"]), holder["said"]
            claims = [claim for claim in claims if claim.key in existed and claim.key not in holders]
            if not claims:  # else they ran out between the two, and are free now
                return

    async def _write_marks(self, keys: list[str]) -> None:
        await self._collection.update_many({"_id": {"$in": keys}}, {"$set": {"said": True}})


def _ignore(_error: BaseException | None) -> None:
    return None
