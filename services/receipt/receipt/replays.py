"""Callbacks as the API shows them, and making them again."""

from carillon.events.account import AccountChanged
from carillon.mongo import Document
from carillon.runtime.clock import Clock
from receipt.callbacks.forms import is_told
from receipt.callbacks.lanes import Lanes
from receipt.domain.changes import changes
from receipt.queries import Queries
from receipt.store import Stores
from receipt.store.callbacks import State, Verdict, callback_document
from receipt.views import CallbackView, DisabledUrlView, callback_view, disabled_view, told_view

Place = tuple[int, int]  # message and sequence


class Replays:
    """Every query names the account."""

    def __init__(self, stores: Stores, queries: Queries, lanes: Lanes, clock: Clock) -> None:
        self._callbacks = stores.callbacks
        self._log = stores.callback_log
        self._disabled = stores.disabled_urls
        self._queries = queries
        self._lanes = lanes
        self._clock = clock

    async def page(
        self, account: str, message: int | None, state: State | None, before: Place | None, limit: int
    ) -> tuple[list[CallbackView], Place | None]:
        """A page, and the place after which the next begins."""
        if message is not None:
            return await self._of_message(account, message, state), None
        wanted: Document = {} if state is None else {"state": state}
        documents = await self._callbacks.page(account, wanted, before, limit)
        last = documents[-1] if len(documents) == limit else None
        place = (int(last["message"]), int(last["sequence"])) if last is not None else None
        return [callback_view(document) for document in documents], place

    async def replay(self, account: AccountChanged, callback_id: str) -> bool:
        """Make one again; False when the account has no such message, or there is nothing to tell of it."""
        now_ms = self._clock.now_ms()
        if await self._callbacks.one(account.id, callback_id) is not None:
            await self._callbacks.replay(account.id, {"_id": callback_id}, now_ms)
            return True
        message, _, status = callback_id.partition("-")
        known = await self._queries.history(account.id, int(message))
        if known is None:
            return False
        for change in changes(known.facts, (), known.milestones):
            target = self._lanes.target_of(change)
            if change.status == status and target is not None and is_told(target, change.status):
                verdict = Verdict(callback_id, "pending", now_ms)
                document = callback_document(target.lane, target.url, target.form, change, verdict, now_ms)
                await self._callbacks.add([document])
                return True
        return False

    async def replay_range(self, account: str, first: int, until: int) -> int:
        """Make all parked ones of a range of messages again (`first <= id < until`); how many."""
        wanted = {"state": "parked", "message": {"$gte": first, "$lt": until}}
        return await self._callbacks.replay(account, wanted, self._clock.now_ms())

    async def disabled(self, account: str) -> list[DisabledUrlView]:
        """URLs of the account that answered 410."""
        return [disabled_view(disabled) for disabled in await self._disabled.of_account(account)]

    async def enable(self, account: str, id_: str) -> bool:
        """Call a URL again; False when it was not disabled."""
        return await self._disabled.enable(account, id_)

    async def _of_message(self, account: str, message: int, state: State | None) -> list[CallbackView]:
        if await self._queries.history(account, message) is None:
            return []
        shown = [
            *(told_view(told) for told in await self._log.of_message(message)),
            *(callback_view(document) for document in await self._callbacks.of_message(message)),
        ]
        return [view for view in shown if state is None or view.state == state]
