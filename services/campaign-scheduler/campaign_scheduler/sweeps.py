"""What time brings: scheduled campaigns start, recurring ones come again, and those with all their receipts finish."""

from typing import Final

import structlog
from msgspec.structs import replace

from campaign_scheduler.domain.campaign import Campaign, occurrence_of
from campaign_scheduler.domain.recurrence import occurrence_after
from campaign_scheduler.quoting import Quoting
from campaign_scheduler.runners import Runners
from campaign_scheduler.store import Stores
from carillon.runtime.clock import Clock

log = structlog.get_logger(__name__)

_BATCH: Final = 100


class Sweeps:
    """Any number of processes may sweep at once: each step is a compare-and-set, or an insert of a known id."""

    def __init__(self, stores: Stores, quoting: Quoting, runners: Runners, clock: Clock) -> None:
        self._campaigns = stores.campaigns
        self._pages = stores.pages
        self._quoting = quoting
        self._runners = runners
        self._clock = clock

    async def start_due(self) -> None:
        """Scheduled campaigns whose time has come."""
        now_ms = self._clock.now_ms()
        for campaign in await self._campaigns.due(now_ms, _BATCH):
            if campaign.rrule is not None:
                await self._occur(campaign, now_ms)
            else:
                running = replace(
                    campaign, state="running", next_at=None, started_at=now_ms, version=campaign.version + 1
                )
                if await self._campaigns.replace(running, expected=campaign.version):
                    log.info("campaign.due", campaign=campaign.id)
                    self._runners.begin(campaign.id)

    async def finish(self) -> None:
        """Running campaigns that are wholly said, and of which every message has its last word."""
        for campaign in await self._campaigns.to_finish(_BATCH):
            if await self._pages.is_open(campaign.id):
                continue
            now_ms = self._clock.now_ms()
            finished = replace(
                campaign, state="finished", ended_at=now_ms, changed_at=now_ms, version=campaign.version + 1
            )
            if await self._campaigns.replace(finished, expected=campaign.version):
                log.info("campaign.finished", campaign=campaign.id)

    async def _occur(self, parent: Campaign, now_ms: int) -> None:
        """The occurrence first, by an id that is always the same; then the parent waits for the next."""
        assert parent.rrule is not None
        assert parent.start_at is not None
        assert parent.next_at is not None
        child = occurrence_of(parent, parent.occurrences + 1, now_ms)
        if await self._campaigns.add(child):
            await self._quoting.estimate(child)
            self._runners.begin(child.id)
        # what was missed while nobody looked, or while it was paused, is not made up for
        next_at = occurrence_after(parent.rrule, parent.start_at, parent.timezone, max(parent.next_at, now_ms))
        await self._campaigns.occurred(parent, next_at, now_ms)
