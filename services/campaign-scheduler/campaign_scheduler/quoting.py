"""Counts an audience: its pages are asked for one after the other, written out and counted, and nothing is sent."""

import asyncio
from typing import Final

import structlog
from msgspec.structs import replace

from campaign_scheduler.domain.campaign import Campaign
from campaign_scheduler.domain.quote import Counts, counted
from campaign_scheduler.domain.texts import Texts
from campaign_scheduler.store import Stores
from campaign_scheduler.store.quotes import Definition, Quote
from carillon.bus import Bus
from carillon.events.audience import AudiencePage, AudienceRequested
from carillon.events.catalogue import AUDIENCE_REQUESTED
from carillon.runtime.clock import Clock
from carillon.runtime.ids import new_id

log = structlog.get_logger(__name__)

PREFIX: Final = "quo_"  # in place of a campaign's id, in audience.requested and audience.page
_AGAIN_MS: Final = 5_000
_POLL_S: Final = 0.05


class Quoting:
    """Begins quotes, takes their pages, and asks again where no answer came."""

    def __init__(self, stores: Stores, bus: Bus, clock: Clock) -> None:
        self._quotes = stores.quotes
        self._campaigns = stores.campaigns
        self._bus = bus
        self._clock = clock

    async def estimate(self, campaign: Campaign) -> None:
        """Begin to count recipients alone: the campaign shows how many are to come."""
        await self.begin(replace(campaign, contents={}))

    async def begin(self, campaign: Campaign, *, is_campaigns: bool = True) -> Quote:
        """Begin to count; `campaign.contents` are frozen. With `is_campaigns` its estimate is set at the end."""
        quote = Quote(
            id=new_id(PREFIX.rstrip("_")),
            account=campaign.account,
            campaign=campaign.id if is_campaigns else None,
            definition=Definition.of(campaign),
            counts=Counts(),
            asked_at=self._clock.now_ms(),
        )
        await self._quotes.add(quote)
        await self._ask(quote)
        return quote

    async def ready(self, quote_id: str, timeout_s: float) -> Quote | None:
        """The quote when all of it is counted, by whichever process; None when that takes longer."""
        waited_s = 0.0
        while True:
            quote = await self._quotes.get(quote_id)
            if quote is not None and quote.is_ready:
                return quote
            if waited_s >= timeout_s:
                return None
            await asyncio.sleep(_POLL_S)
            waited_s += _POLL_S

    async def take(self, record: AudiencePage) -> None:
        """Count a page, once, and ask for the next."""
        quote = await self._quotes.get(record.campaign)
        if quote is None or quote.account != record.account or quote.is_ready or record.page != quote.page:
            return  # told again: if the next page was not asked for, the sweep will
        definition = quote.definition
        if definition.contents:
            texts = Texts(definition.contents, definition.language, definition.stop_mention)
            quote.counts = counted(quote.counts, texts, record.recipients)
        else:
            quote.counts.recipients += len(record.recipients)
        quote.page += 1
        quote.after = record.recipients[-1].number if record.recipients else quote.after
        quote.asked_at = self._clock.now_ms()
        quote.is_ready = record.last
        if quote.is_ready and quote.campaign is not None:
            await self._campaigns.estimated(quote.campaign, quote.counts.recipients)
        if await self._quotes.counted(quote, record.page) and not quote.is_ready:
            await self._ask(quote)

    async def ask_again(self) -> None:
        """For a sweep: contacts may have been away."""
        now_ms = self._clock.now_ms()
        for quote in await self._quotes.waiting(now_ms - _AGAIN_MS, 100):
            await self._quotes.asked(quote, now_ms)
            await self._ask(quote)

    async def _ask(self, quote: Quote) -> None:
        await self._bus.publish(
            AUDIENCE_REQUESTED,
            [
                AudienceRequested(
                    campaign=quote.id,
                    account=quote.account,
                    page=quote.page,
                    after=quote.after,
                    audience=quote.definition.audience,
                )
            ],
        )
