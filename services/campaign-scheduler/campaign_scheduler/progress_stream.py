"""How a campaign goes, over HTTP as server-sent events: the counts whenever they changed, at most twice a second."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import structlog

from campaign_scheduler.domain.campaign import ENDED
from campaign_scheduler.domain.progress import Pages
from campaign_scheduler.store import Stores
from campaign_scheduler.views import ProgressView, counts_of
from carillon.mongo import TEMPORARY_ERRORS

log = structlog.get_logger(__name__)

MAX_READERS: Final = 200
_LOOK_S: Final = 0.5
_HEARTBEAT_LOOKS: Final = 30


class ProgressStream:
    """Every reader looks for itself, so they are counted."""

    def __init__(self, stores: Stores, *, look_s: float = _LOOK_S) -> None:
        self._campaigns = stores.campaigns
        self._pages = stores.pages
        self._look_s = look_s
        self._readers = 0

    @property
    def is_full(self) -> bool:
        """Whether another reader has to be turned away."""
        return self._readers >= MAX_READERS

    async def counts(self, account: str, campaign_id: str) -> ProgressView | None:
        """The counts now; None for what is not the account's. The campaign is read first: pages are only added."""
        campaign = await self._campaigns.find(account, campaign_id)
        if campaign is None:
            return None
        sums = await self._pages.sums([campaign_id])
        return ProgressView(**counts_of(campaign, sums.get(campaign_id, Pages())))

    async def events(self, account: str, campaign_id: str) -> AsyncIterator[bytes]:
        """Events `progress`; after the last of them `end`, when the campaign has ended and nothing is awaited."""
        self._readers += 1
        shown: ProgressView | None = None
        looks = 0
        try:
            yield b"retry: 2000\n\n"
            while True:
                counts = await self.counts(account, campaign_id)
                if counts is None:
                    return
                looks += 1
                if counts != shown:
                    shown, looks = counts, 0
                    yield b"event: progress\ndata: %s\n\n" % counts.model_dump_json().encode()
                elif looks % _HEARTBEAT_LOOKS == 0:
                    yield b": \n\n"
                if counts.state in ENDED and not counts.awaiting and not counts.pending:
                    yield b"event: end\ndata: {}\n\n"
                    return
                await asyncio.sleep(self._look_s)
        except TEMPORARY_ERRORS as error:  # the reader comes again
            log.info("progress.ended", reason=repr(error))
        finally:
            self._readers -= 1
