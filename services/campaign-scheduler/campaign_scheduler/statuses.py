"""`message.status` moves the pages' states forward: many records become one write a page."""

from bisect import bisect_right, insort
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

import structlog

from campaign_scheduler.domain.progress import RANKS, merged, tally_of
from campaign_scheduler.store.pages import PageStore, Told
from carillon.bus import Delivery
from carillon.events.message import StatusChanged

log = structlog.get_logger(__name__)

_KEPT: Final = 4_000  # pages in memory: 2 million messages, some megabytes


class _Range(NamedTuple):
    first_id: int
    end_id: int
    page: str


class RecordStatuses:
    """Handles status changes. Another process may write the same page: who comes second reads it again."""

    def __init__(self, pages: PageStore, wake: Callable[[str], None]) -> None:
        self._pages = pages
        self._wake = wake
        self._known: OrderedDict[str, Told] = OrderedDict()
        self._ranges: dict[str, list[_Range]] = {}

    async def __call__(self, deliveries: Sequence[Delivery]) -> None:
        """One batch."""
        told: dict[str, dict[int, int]] = {}
        for delivery in deliveries:
            for record in delivery.records:
                if isinstance(record, StatusChanged) and record.campaign is not None:
                    ranks = told.setdefault(record.campaign, {})
                    rank = RANKS[record.status]
                    if rank > ranks.get(record.id, 0):
                        ranks[record.id] = rank
        places: dict[str, list[tuple[int, int]]] = {}
        for campaign, ranks in told.items():
            await self._place(campaign, ranks, places)
        handed = await self._advance(places)
        for campaign in {page.partition(":")[0] for page in handed}:
            self._wake(campaign)
        self._forget()

    async def _place(self, campaign: str, ranks: dict[int, int], places: dict[str, list[tuple[int, int]]]) -> None:
        """(place, rank) by page. Messages of a page that is no more are left out."""
        ranges = self._ranges.setdefault(campaign, [])
        for message_id, rank in ranks.items():
            at = bisect_right(ranges, message_id, key=_first_id) - 1
            if at < 0 or message_id >= ranges[at].end_id:
                page = await self._pages.at(campaign, message_id)
                if page is None:
                    log.warning("status.of_no_page", campaign=campaign)
                    continue
                insort(ranges, _Range(page.first_id, page.first_id + page.messages, page.id))
                self._known.setdefault(page.id, page)
                at = bisect_right(ranges, message_id, key=_first_id) - 1
            found = ranges[at]
            places.setdefault(found.page, []).append((message_id - found.first_id, rank))

    async def _advance(self, places: dict[str, list[tuple[int, int]]]) -> list[str]:
        """Write what changes; pages that are wholly with operators now."""
        await self._read(page for page in places if page not in self._known)
        while True:
            changes: list[tuple[Told, bytes]] = []
            for page, told in places.items():
                known = self._known.get(page)
                states = merged(known.states, told) if known is not None else b""
                if known is not None and states != known.states:
                    changes.append((known, states))
            if not changes:
                return []
            if await self._pages.advance(changes):
                for known, states in changes:
                    self._known[known.id] = known._replace(states=states, version=known.version + 1)
                    self._known.move_to_end(known.id)
                return [known.id for known, states in changes if tally_of(states).is_handed]
            await self._read(known.id for known, _ in changes)

    async def _read(self, pages: Iterable[str]) -> None:
        wanted = list(pages)
        if wanted:
            for page in wanted:
                self._known.pop(page, None)
            self._known.update(await self._pages.reread(wanted))

    def _forget(self) -> None:
        """The oldest half, with where they were."""
        if len(self._known) <= _KEPT:
            return
        for _ in range(_KEPT // 2):
            self._known.popitem(last=False)
        kept = {
            campaign: [one for one in ranges if one.page in self._known] for campaign, ranges in self._ranges.items()
        }
        self._ranges = {campaign: ranges for campaign, ranges in kept.items() if ranges}


def _first_id(one: _Range) -> int:
    return one.first_id
