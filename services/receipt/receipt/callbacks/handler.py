"""The fast path: a batch of status changes becomes calls, and nothing is written for those that succeed (but a log).

What fails, is not done in good time, or belongs to a client that is not well, is put into the backlog; then the batch
is acknowledged. So a batch is held up for at most `limit_s`, whatever its clients do.
"""

import asyncio
from collections.abc import Iterable, Sequence

from carillon.bus import Defer, Delivery
from carillon.events.message import StatusChanged
from carillon.mongo import Document
from carillon.runtime.clock import Clock
from carillon.telemetry import metrics
from receipt.callbacks.forms import is_told
from receipt.callbacks.lane import NOT_BEGUN, Lane, Telling
from receipt.callbacks.lanes import Lanes, UnknownAccountError
from receipt.callbacks.settler import Settler
from receipt.callbacks.targets import BadUrlError, Target
from receipt.callbacks.verdicts import GONE, GONE_REASON, verdict_of
from receipt.store import Stores
from receipt.store.callback_log import Told
from receipt.store.callbacks import Verdict, callback_document, callback_id

_LIMIT_S = 1.0
_LATE_MS = 30_000  # a call that is still under way then was lost with its process


class MakeCallbacks:
    """`message.status` becomes HTTP calls."""

    def __init__(
        self,
        stores: Stores,
        lanes: Lanes,
        settler: Settler,
        clock: Clock,
        *,
        limit_s: float = _LIMIT_S,
    ) -> None:
        self._lanes = lanes
        self._backlog = stores.callbacks
        self._log = stores.callback_log
        self._disabled = stores.disabled_urls
        self._settler = settler
        self._clock = clock
        self._limit_s = limit_s

    async def __call__(self, deliveries: Sequence[Delivery]) -> None:
        """Call, wait for the answers, keep what is still to be told."""
        batch = _Batch(self._settler)
        documents: list[Document] = []
        direct: list[Telling] = []
        uncertain: dict[Lane, list[Telling]] = {}
        for change, target in self._told(deliveries, documents):
            lane = self._lanes.of(target)
            telling = Telling(lane, target, change, batch.done)
            if self._disabled.has(target.account, target.url):
                documents.append(self._parked(change, target, GONE_REASON))
            elif lane.backlog:
                uncertain.setdefault(lane, []).append(telling)
            elif lane.admits():
                direct.append(telling)
            else:
                lane.has_backlog()
                documents.append(self._due(telling))
        for lane, tellings in uncertain.items():
            direct += await self._unhindered(lane, tellings, documents)
        batch.begin(direct)
        await batch.wait(self._limit_s)
        documents += self._unfinished(direct)
        for telling in direct:
            if telling.outcome is not None and telling.outcome.status == GONE:
                await self._disabled.disable(telling.target.account, telling.target.url, self._clock.now_ms())
        await self._log.add(_succeeded(direct, self._clock.now_ms()))
        await self._backlog.add(documents)
        _count_parked(documents)
        batch.keep_late()

    def _told(
        self, deliveries: Sequence[Delivery], documents: list[Document]
    ) -> Iterable[tuple[StatusChanged, Target]]:
        """What has a word for a client, with where it goes. Nothing is done before all of it is known."""
        told: list[tuple[StatusChanged, Target]] = []
        for delivery in deliveries:
            for change in delivery.records:
                if not isinstance(change, StatusChanged) or change.status == "accepted":
                    continue
                try:
                    target = self._lanes.target_of(change)
                except UnknownAccountError as error:
                    raise Defer(str(error)) from error
                except BadUrlError as error:
                    documents.append(self._parked(change, None, str(error)))
                    continue
                if target is not None and is_told(target, change.status):
                    told.append((change, target))
        return told

    async def _unhindered(self, lane: Lane, tellings: list[Telling], documents: list[Document]) -> list[Telling]:
        """Of a client with a backlog: those that have nothing earlier of the same message in it may be called."""
        pending = {document["message"] for document in await self._backlog.pending_of(t.change.id for t in tellings)}
        free: list[Telling] = []
        for telling in tellings:
            if telling.change.id not in pending and lane.admits():
                free.append(telling)
            else:
                pending.add(telling.change.id)
                lane.has_backlog()
                documents.append(self._due(telling))
        return free

    def _unfinished(self, tellings: list[Telling]) -> list[Document]:
        """Documents for what failed, was withdrawn now, or is still under way."""
        documents: list[Document] = []
        for telling in tellings:
            if telling.outcome is None:
                telling.lane.slow()
                telling.lane.withdraw(telling)
        now_ms = self._clock.now_ms()
        for telling in tellings:
            outcome = telling.outcome
            if outcome is not None and outcome.ok:
                continue
            telling.lane.has_backlog()
            if outcome is None:
                documents.append(self._due(telling, _LATE_MS))
            elif outcome is NOT_BEGUN:
                documents.append(self._due(telling))
            else:
                verdict = verdict_of(callback_id(telling.change), 1, outcome, now_ms)
                documents.append(_document(telling.change, telling.target, verdict, now_ms))
        return documents

    def _due(self, telling: Telling, in_ms: int = 0) -> Document:
        now_ms = self._clock.now_ms()
        verdict = Verdict(callback_id(telling.change), "pending", now_ms + in_ms)
        return _document(telling.change, telling.target, verdict, now_ms)

    def _parked(self, change: StatusChanged, target: Target | None, reason: str) -> Document:
        now_ms = self._clock.now_ms()
        verdict = Verdict(callback_id(change), "parked", now_ms, None, reason)
        return _document(change, target, verdict, now_ms)


def _count_parked(documents: Sequence[Document]) -> None:
    parked = sum(document["state"] == "parked" for document in documents)
    if parked:
        metrics.record_callbacks_parked(parked)


class _Batch:
    """Counts down the calls of one batch. Those that end after the limit go to the settler."""

    def __init__(self, settler: Settler) -> None:
        self._settler = settler
        self._remaining = 0
        self._all_done = asyncio.Event()
        self._waiting = True
        self._late: list[Telling] | None = []

    def begin(self, tellings: list[Telling]) -> None:
        self._remaining = len(tellings)
        if not tellings:
            self._all_done.set()
        for telling in tellings:
            telling.lane.tell(telling)

    def done(self, telling: Telling) -> None:
        self._remaining -= 1
        if self._remaining == 0:
            self._all_done.set()
        if not self._waiting and telling.outcome is not NOT_BEGUN:
            if self._late is None:
                self._settler.settle(telling)
            else:
                self._late.append(telling)

    async def wait(self, limit_s: float) -> None:
        try:
            async with asyncio.timeout(limit_s):
                await self._all_done.wait()
        except TimeoutError:
            pass  # what is not done goes on without us
        self._waiting = False

    def keep_late(self) -> None:
        """The documents are there: what ended meanwhile, and what ends from now on, is written into them."""
        late, self._late = self._late or [], None
        for telling in late:
            self._settler.settle(telling)


def _document(change: StatusChanged, target: Target | None, verdict: Verdict, now_ms: int) -> Document:
    if target is None:  # its URL can't be read
        url, form = change.callback_url or "", change.callback_form or "query"
        return callback_document(f"{change.account} -", url, form, change, verdict, now_ms)
    return callback_document(target.lane, target.url, target.form, change, verdict, now_ms)


def _succeeded(tellings: list[Telling], now_ms: int) -> list[Told]:
    return [
        Told(
            telling.change.id,
            telling.change.status,
            telling.target.url,
            now_ms - telling.outcome.took_ms,
            telling.outcome.took_ms,
            telling.outcome.status,
        )
        for telling in tellings
        if telling.outcome is not None and telling.outcome.ok
    ]
