"""The slow path: callbacks that wait in the database are made when they are due, client by client.

One process works on a client at a time (a lease), so its receipts keep their order; clients are worked on side by
side, so none waits for another. A client that seems dead is tried with one call, then more and more.
"""

import asyncio
from collections.abc import Sequence

import structlog

from carillon.mongo import Document
from carillon.mongo.leases import Lease, Leases
from carillon.runtime.clock import Clock
from carillon.telemetry import metrics
from receipt.callbacks.client import Outcome
from receipt.callbacks.lane import NOT_BEGUN, Lane, Telling
from receipt.callbacks.lanes import Lanes
from receipt.callbacks.targets import BadUrlError, Target, target_of
from receipt.callbacks.verdicts import GONE, GONE_REASON, verdict_of
from receipt.domain.schedule import GIVE_UP_S
from receipt.store import Stores
from receipt.store.callbacks import Verdict, change_of

log = structlog.get_logger(__name__)

_FIRST_PAGE = 1
_LAST_PAGE = 500
_FIRST_PAUSE_MS = 1_000
_LONGEST_PAUSE_MS = 60_000
_SIDE_BY_SIDE = 200


class Backlog:
    """`sweep()` starts work on every client that is due and on which nobody works; it doesn't wait for it."""

    def __init__(self, stores: Stores, lanes: Lanes, leases: Leases, clock: Clock) -> None:
        self._store = stores.callbacks
        self._lanes = lanes
        self._disabled = stores.disabled_urls
        self._leases = leases
        self._clock = clock
        self._at_work: dict[str, asyncio.Task[None]] = {}
        self._pauses_ms: dict[str, int] = {}

    async def sweep(self) -> None:
        """One round."""
        as_of_s = self._clock.monotonic_s()
        documents = await self._store.lanes()
        self._lanes.note_backlogs({document["_id"] for document in documents}, as_of_s)
        await self._disabled.refresh()
        now_ms = self._clock.now_ms()
        for document in documents:
            key = document["_id"]
            if document["next_at"] <= now_ms and key not in self._at_work and len(self._at_work) < _SIDE_BY_SIDE:
                self._at_work[key] = asyncio.create_task(self._work(document), name=f"callbacks {key}")
        metrics.set_callbacks_waiting(await self._store.count_pending() if documents else 0)

    async def idle(self) -> None:
        """Return when nothing is being worked on."""
        while self._at_work:
            await asyncio.wait(self._at_work.values())

    async def start(self) -> None:
        """`sweep` is called by a timer."""

    async def stop(self) -> None:
        """Calls under way are given up; their callbacks stay pending."""
        for task in self._at_work.values():
            task.cancel()
        await asyncio.gather(*self._at_work.values(), return_exceptions=True)

    async def _work(self, lane: Document) -> None:
        key = lane["_id"]
        try:
            lease = await self._leases.acquire(f"callbacks {key}")
            if lease is not None:
                try:
                    not_before_ms = await self._work_off(key, lease)
                    await self._store.finish_lane(lane, not_before_ms)
                finally:
                    await self._leases.release(lease)
        except Exception as error:  # noqa: BLE001  the next sweep begins again
            log.warning("callbacks.backlog_failed", lane=key, error=repr(error))
        finally:
            del self._at_work[key]

    async def _work_off(self, key: str, lease: Lease) -> int:
        """Page after page, until nothing is due or the client fails; returns the moment to come back at, at least."""
        page = _FIRST_PAGE
        while await self._leases.renew(lease):
            documents = await self._store.due(key, self._clock.now_ms(), page)
            if not documents:
                self._pauses_ms.pop(key, None)
                return 0
            if not await self._page(documents):
                now_ms = self._clock.now_ms()
                before_ms = now_ms - round(GIVE_UP_S * 1000)
                given_up = await self._store.give_up(key, before_ms, "the client could not be reached")
                if given_up:
                    metrics.record_callbacks_parked(given_up)
                pause_ms = self._pauses_ms.get(key, _FIRST_PAUSE_MS)
                self._pauses_ms[key] = min(pause_ms * 2, _LONGEST_PAUSE_MS)
                return now_ms + pause_ms
            page = min(page * 8, _LAST_PAGE)
        return 0

    async def _page(self, due: Sequence[Document]) -> bool:
        """Make these callbacks; False when it is the client that fails, so that going on would be of no use."""
        chains: dict[int, list[Document]] = {}
        for document in await self._store.pending_of({document["message"] for document in due}):
            chains.setdefault(document["message"], []).append(document)
        calls = [self._chain(chain) for chain in chains.values()]
        well = True
        verdicts: list[Verdict] = []
        for made, is_well in await asyncio.gather(*calls):
            verdicts += made
            well = well and is_well
        await self._store.settle(verdicts)
        parked = sum(verdict.state == "parked" for verdict in verdicts)
        if parked:
            metrics.record_callbacks_parked(parked)
        return well

    async def _chain(self, chain: Sequence[Document]) -> tuple[list[Verdict], bool]:
        """All that is pending of one message, in order, up to the first that is not due or fails."""
        verdicts: list[Verdict] = []
        for place, document in enumerate(chain):
            now_ms = self._clock.now_ms()
            if document["next_at"] > now_ms and place == 0:
                return _held(chain[1:], document["next_at"]), True
            verdict, outcome = await self._one(document)
            verdicts.append(verdict)
            if verdict.state == "pending":
                verdicts += _held(chain[place + 1 :], verdict.next_ms)
                return verdicts, outcome.status not in (0, 429) and outcome.status < 500
        return verdicts, True

    async def _one(self, document: Document) -> tuple[Verdict, Outcome]:
        account, url, id_ = document["account"], document["url"], document["_id"]
        now_ms = self._clock.now_ms()
        if self._disabled.has(account, url):
            return Verdict(id_, "parked", now_ms, None, GONE_REASON), Outcome(GONE)
        try:
            target = self._target(document)
        except BadUrlError as error:
            return Verdict(id_, "parked", now_ms, None, str(error)), Outcome(0, str(error))
        outcome = await self._call(self._lanes.of(target), target, document)
        if outcome is NOT_BEGUN:
            return Verdict(id_, "pending", now_ms + _FIRST_PAUSE_MS), outcome
        now_ms = self._clock.now_ms()
        if outcome.status == GONE:
            await self._disabled.disable(account, url, now_ms)
        return verdict_of(id_, document["tries"] + 1, outcome, now_ms), outcome

    def _target(self, document: Document) -> Target:
        """As it was when the status came, but signed with the secrets of now."""
        return target_of(
            document["account"], document["url"], document["form"], self._lanes.secrets_of(document["account"])
        )

    async def _call(self, lane: Lane, target: Target, document: Document) -> Outcome:
        answered: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def done(telling: Telling) -> None:
            if not answered.done() and telling.outcome is not None:
                answered.set_result(telling.outcome)

        lane.tell(Telling(lane, target, change_of(document), done))
        return await answered


def _held(documents: Sequence[Document], next_ms: int) -> list[Verdict]:
    """What is behind another of the same message waits for the same moment."""
    return [Verdict(document["_id"], "pending", next_ms) for document in documents]
