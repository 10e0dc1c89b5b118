"""A page of the audience comes: its messages are made and stored with their ids. Nothing is said here.

Any process may get the page, also twice. The first that stores it has made it; then the campaign knows it.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence

import structlog
from msgspec.structs import replace

from campaign_scheduler.domain.campaign import ENDED, Campaign
from campaign_scheduler.domain.page import NO_PROFILE, lives_in_alsace, page_of
from campaign_scheduler.domain.texts import Texts
from campaign_scheduler.paying import Pricer
from campaign_scheduler.quoting import PREFIX, Quoting
from campaign_scheduler.requests import PageRequests
from campaign_scheduler.store import Stores
from carillon.bus import Delivery
from carillon.events.audience import AudiencePage
from carillon.mongo import NodeLease
from carillon.runtime.clock import Clock

log = structlog.get_logger(__name__)

_TEXTS_KEPT = 100


class TakePages:
    """Handles `audience.page`."""

    def __init__(
        self,
        stores: Stores,
        quoting: Quoting,
        pricer: Pricer,
        requests: PageRequests,
        ids: NodeLease,
        clock: Clock,
        wake: Callable[[str], None],
    ) -> None:
        self._campaigns = stores.campaigns
        self._pages = stores.pages
        self._quoting = quoting
        self._pricer = pricer
        self._requests = requests
        self._ids = ids
        self._clock = clock
        self._wake = wake
        self._texts: OrderedDict[str, Texts] = OrderedDict()

    async def __call__(self, deliveries: Sequence[Delivery]) -> None:
        """Each page by itself."""
        for delivery in deliveries:
            for record in delivery.records:
                if not isinstance(record, AudiencePage):
                    continue
                if record.campaign.startswith(PREFIX):
                    await self._quoting.take(record)
                else:
                    await self._take(record)

    async def _take(self, record: AudiencePage) -> None:
        campaign = await self._campaigns.get(record.campaign)
        if campaign is None or campaign.account != record.account:
            log.warning("page.of_nobody", campaign=record.campaign)
            return
        if campaign.state in ENDED or record.page != campaign.pages:
            return  # told again, or too late
        if not self._pricer.is_known(campaign.account):
            log.warning("page.without_prices", campaign=campaign.id)
            return  # it is asked for again in a moment
        after, is_last = await self._store(campaign, record)
        await self._campaigns.page_came(campaign.id, record.page, after, is_last=is_last)
        self._wake(campaign.id)
        await self._requests.next(replace(campaign, pages=record.page + 1, after=after, is_whole=is_last))

    async def _store(self, campaign: Campaign, record: AudiencePage) -> tuple[str, bool]:
        """The end of the page that counts: this one, or the one that was stored before it."""
        now_ms = self._clock.now_ms()
        texts, pricing = self._texts_of(campaign), self._pricer.of(campaign.account)
        page = page_of(campaign, texts, record.recipients, self._ids.run, now_ms, pricing)
        after = record.recipients[-1].number if record.recipients else campaign.after
        alsatians: list[str] = []
        if campaign.profile != NO_PROFILE:
            alsatians = [one.number for one in record.recipients if lives_in_alsace(one)]
        if await self._pages.insert(
            campaign.id, record.page, page, after=after, is_last=record.last, now_ms=now_ms, alsatians=alsatians
        ):
            return after, record.last
        return await self._pages.end_of(campaign.id, record.page)

    def _texts_of(self, campaign: Campaign) -> Texts:
        """Contents are frozen once a campaign runs."""
        texts = self._texts.get(campaign.id)
        if texts is None:
            texts = self._texts[campaign.id] = Texts(campaign.contents, campaign.language, campaign.stop_mention)
            if len(self._texts) > _TEXTS_KEPT:
                self._texts.popitem(last=False)
        return texts
