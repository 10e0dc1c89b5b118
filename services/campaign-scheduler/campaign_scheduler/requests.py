"""Asks contacts for the next page of a campaign, when there is room for it."""

from typing import Final

from campaign_scheduler.domain.campaign import Campaign
from campaign_scheduler.domain.pace import page_size
from campaign_scheduler.store.pages import PageStore
from carillon.bus import Bus
from carillon.events.audience import AudienceRequested
from carillon.events.catalogue import AUDIENCE_REQUESTED
from carillon.runtime.clock import Clock

_AHEAD: Final = 4  # pages that could be said now: enough for one round of the runner
_DEFERRED: Final = 200  # pages at all: those that wait for a window of the law must not hold up the others at once
_AGAIN_S: Final = 5.0  # contacts has not answered: it may have been away


class PageRequests:
    """Asked by whoever takes a page in and by the runner; asking twice is answered twice and stored once."""

    def __init__(self, pages: PageStore, bus: Bus, clock: Clock) -> None:
        self._pages = pages
        self._bus = bus
        self._clock = clock
        self._asked: dict[str, tuple[int, float]] = {}

    async def next(self, campaign: Campaign) -> None:
        """Ask for page `campaign.pages`, if there is one, there is room, and it wasn't asked for just now."""
        if campaign.is_whole or campaign.state != "running":
            self._asked.pop(campaign.id, None)
            return
        now_s = self._clock.monotonic_s()
        page, at_s = self._asked.get(campaign.id, (-1, 0.0))
        if page == campaign.pages and now_s - at_s < _AGAIN_S:
            return
        due, all_ = await self._pages.waiting(campaign.id, self._clock.now_ms(), _DEFERRED)
        if due >= _AHEAD or all_ >= _DEFERRED:
            return
        self._asked[campaign.id] = (campaign.pages, now_s)
        await self._bus.publish(
            AUDIENCE_REQUESTED,
            [
                AudienceRequested(
                    campaign=campaign.id,
                    account=campaign.account,
                    page=campaign.pages,
                    after=campaign.after,
                    size=page_size(campaign.rate_per_minute),
                    audience=campaign.audience,
                )
            ],
        )
