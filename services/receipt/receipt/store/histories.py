"""A message with all that is known of it: its document and its additions, read together."""

from collections.abc import Iterable
from typing import NamedTuple

from carillon.events.message import StatusChanged
from carillon.mongo import Document
from carillon.runtime.ids import first_id_at
from receipt.domain.milestones import Milestones
from receipt.store.additions import AdditionStore, add_to, part_of_addition
from receipt.store.message_documents import facts_of, milestones_of, part_of
from receipt.store.messages import MessageStore

_DOUBT_BEFORE_MS = 3 * 86_400_000


class Known(NamedTuple):
    """A message: what does not change of it, the country of its number, and its milestones."""

    facts: StatusChanged
    country: str
    milestones: Milestones


class Place(NamedTuple):
    """A part of a message."""

    message: int
    part: int


def known_of(document: Document, milestones: Milestones) -> Known:
    """A message document with these milestones."""
    return Known(facts_of(document), document["country"], milestones)


class Histories:
    """Reads both collections."""

    def __init__(self, messages: MessageStore, additions: AdditionStore) -> None:
        self._messages = messages
        self._additions = additions

    async def of(self, ids: Iterable[int]) -> dict[int, Known]:
        """The messages that are known; what came before its message was accepted is not among them."""
        wanted = list(ids)
        return await self.of_documents((await self._messages.by_ids(wanted)).values()) if wanted else {}

    async def of_documents(self, documents: Iterable[Document]) -> dict[int, Known]:
        """The same for message documents that were read already."""
        known = {int(document["_id"]): known_of(document, milestones_of(document)) for document in documents}
        if known:
            for addition in await self._additions.of(known):
                add_to(known[addition["message"]].milestones, addition)
        return known

    async def places(self, refs: Iterable[str]) -> dict[str, list[Place]]:
        """Where each of these `operator:ref` belongs; an operator may have used one more than once."""
        wanted = set(refs)
        found: dict[str, list[Place]] = {}
        if not wanted:
            return found
        for document in await self._messages.by_refs(wanted):
            for ref in wanted.intersection(document["refs"]):
                found.setdefault(ref, []).append(Place(int(document["_id"]), part_of(document, ref)))
        for addition in await self._additions.by_refs(wanted):
            for ref in wanted.intersection(addition["refs"]):
                found.setdefault(ref, []).append(Place(int(addition["message"]), part_of_addition(addition)))
        return found

    async def doubtful(self, number: str, moment_ms: int) -> dict[int, Known]:
        """Messages to a number, of the three days before, of which the answer to a submit was lost."""
        first, last = first_id_at(moment_ms - _DOUBT_BEFORE_MS), first_id_at(moment_ms + 1) - 1
        ids = {
            *await self._messages.doubtful(number, first, last),
            *await self._additions.doubtful(number, first, last),
        }
        return await self.of(ids)
