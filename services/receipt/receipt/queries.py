"""What the API asks: one message with everything, and lists by filter. Every query names the account."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from carillon.events.message import Status
from carillon.mongo import Document
from receipt.domain.status import status_of
from receipt.store import Stores
from receipt.store.histories import Known
from receipt.views import CallbackView, FullMessageView, MessageView, callback_view, full_view, message_view, told_view

_LOOKED_AT: Final = 2_000  # messages that one request looks at, at most, for a status that is rare among them
_BATCH: Final = 200
_MARKED: Final[frozenset[Status]] = frozenset(
    {"undelivered", "refused", "suppressed", "cancelled", "lost", "ambiguous"}
)


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is asked for. `first` and `last` bound ids, and so times."""

    status: Status | None = None
    campaign: str | None = None
    number: str | None = None
    client_ref: str | None = None
    first: int = 0
    last: int = (1 << 63) - 1

    def fields(self) -> Document:
        """The part that the database can answer from an index."""
        wanted = {"campaign": self.campaign, "number": self.number, "client_ref": self.client_ref}
        return {name: value for name, value in wanted.items() if value is not None}


class Listed(NamedTuple):
    """A page. `next` is the id to go on below; None: there is no more."""

    items: list[MessageView]
    next: int | None


class Queries:
    """Reads messages, their additions and their callbacks."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def message(self, account: str, id_: int) -> FullMessageView | None:
        """Everything known of a message; None when the account has no such message."""
        document = await self._stores.messages.one(account, id_)
        if document is None:
            return None
        known = (await self._stores.histories.of_documents([document]))[id_]
        return full_view(document, known, await self._callbacks_of(id_))

    async def history(self, account: str, id_: int) -> Known | None:
        """A message's facts and milestones."""
        document = await self._stores.messages.one(account, id_)
        return None if document is None else (await self._stores.histories.of_documents([document]))[id_]

    async def page(self, account: str, wanted: Filter, before: int | None, limit: int) -> Listed:
        """The newest messages first. A page may be short, or empty, and have a `next` all the same."""
        last = min(wanted.last, (1 << 63) - 1 if before is None else before - 1)
        items: list[MessageView] = []
        looked_at = 0
        while looked_at < _LOOKED_AT:
            size = _BATCH if wanted.status is not None else limit - len(items)
            ids, documents = await self._candidates(account, wanted, last, size)
            histories = await self._stores.histories.of_documents(documents)
            for document in documents:
                known = histories[document["_id"]]
                if wanted.status is None or status_of(known.milestones, known.facts.parts) == wanted.status:
                    items.append(message_view(document, known))
                    if len(items) == limit:
                        return Listed(items, int(document["_id"]))
            if len(ids) < size:
                return Listed(items, None)
            looked_at += len(ids)
            last = ids[-1] - 1
        return Listed(items, last + 1)

    async def _candidates(self, account: str, wanted: Filter, last: int, size: int) -> tuple[list[int], list[Document]]:
        """The next ids to look at, the largest first, and those documents that meet all but the status."""
        range_ = {"$gte": wanted.first, "$lte": last}
        messages = self._stores.messages
        if wanted.status not in _MARKED:
            documents = await messages.page(account, {**wanted.fields(), "_id": range_}, size)
            return [int(document["_id"]) for document in documents], documents
        at_once = [int(one["_id"]) for one in await messages.page(account, {"failed": True, "_id": range_}, size)]
        later = await self._stores.additions.failed_page(account, range_, size)
        ids = sorted({*at_once, *later}, reverse=True)[:size]
        return ids, await messages.page(account, {**wanted.fields(), "_id": {"$in": ids}}, size)

    async def _callbacks_of(self, id_: int) -> list[CallbackView]:
        kept = [callback_view(document) for document in await self._stores.callbacks.of_message(id_)]
        told = [told_view(entry) for entry in await self._stores.callback_log.of_message(id_)]
        shown = [*told, *kept]
        return sorted(shown, key=lambda view: view.attempts[0].at if view.attempts else view.next_attempt_at or "")
