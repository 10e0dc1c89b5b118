"""What is done with what this service hears. Each handler can be run again with the same deliveries."""

from collections.abc import Sequence

from carillon.bus import Bus, Delivery
from carillon.events.audience import AudiencePage, AudienceRequested
from carillon.events.catalogue import AUDIENCE_PAGE
from contacts.audience.pages import Pages


class AnswerAudience:
    """A campaign has room for a page: it is read and said. Asked again, the same is said again."""

    def __init__(self, pages: Pages, bus: Bus) -> None:
        self._pages = pages
        self._bus = bus

    async def __call__(self, deliveries: Sequence[Delivery]) -> None:
        """One page at a time: each is a batch of recipients already."""
        for delivery in deliveries:
            for record in delivery.records:
                if isinstance(record, AudienceRequested):
                    await self._answer(record)

    async def _answer(self, asked: AudienceRequested) -> None:
        recipients, last = await self._pages.page(asked.account, asked.audience, asked.after, asked.size)
        page = AudiencePage(
            campaign=asked.campaign, account=asked.account, page=asked.page, recipients=recipients, last=last
        )
        await self._bus.publish(AUDIENCE_PAGE, [page])
