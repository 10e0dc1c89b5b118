"""What is done with what this service hears. Each handler can be run again with the same deliveries."""

from collections.abc import Sequence

from carillon.bus import Delivery
from carillon.events.report import InboundReceived
from carillon.runtime.clock import Clock
from carillon.telemetry import metrics
from receipt.attribution import Attribution
from receipt.domain.news import Flush
from receipt.recorder import Recorder
from receipt.store.inbound import InboundStore
from receipt.store.unmatched import UnmatchedStore
from receipt.sweepers.lost import LostSweeper
from receipt.sweepers.unmatched import FIRST_PAUSE_MS


class RecordMessages:
    """accepted, submitted, refused and reports become documents and status changes."""

    def __init__(self, recorder: Recorder, unmatched: UnmatchedStore, lost: LostSweeper, clock: Clock) -> None:
        self._recorder = recorder
        self._unmatched = unmatched
        self._lost = lost
        self._clock = clock

    async def __call__(self, deliveries: Sequence[Delivery]) -> None:
        """One flush. A report that matches no message is kept and tried again: it is never dropped."""
        flush = Flush()
        for delivery in deliveries:
            flush.take(delivery.records)
        unmatched = await self._recorder.record(flush)
        if unmatched:
            metrics.record_unmatched(len(unmatched))
            now_ms = self._clock.now_ms()
            await self._unmatched.park(unmatched, now_ms, now_ms + FIRST_PAUSE_MS)
        await self._lost.look_back(flush.news.values())


class KeepInbound:
    """Inbound SMS are kept and given to an account; joining parts and telling clients comes with conversations."""

    def __init__(self, inbound: InboundStore, attribution: Attribution) -> None:
        self._inbound = inbound
        self._attribution = attribution

    async def __call__(self, deliveries: Sequence[Delivery]) -> None:
        """Keep each part once."""
        parts = [part for delivery in deliveries for part in delivery.records if isinstance(part, InboundReceived)]
        await self._inbound.keep(parts)
        await self._attribution.say(parts)
