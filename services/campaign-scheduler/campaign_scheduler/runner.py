"""Says the pages of one campaign, while this process holds its lease.

A round: pay for some batches, if the account pays beforehand, and store their leases with them; decide on them (a
compare-and-set on the campaign: running, our fence), say them, mark them. What was decided is said even if the campaign
is paused or cancelled a moment later, or this process dies: whoever holds the lease next says it again, with the same
ids and the same credit. Credit that runs out pauses the campaign: what was paid is said, the rest stays as it is.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import structlog

from campaign_scheduler.domain.campaign import Campaign
from campaign_scheduler.domain.pace import next_say_ms
from campaign_scheduler.domain.page import NO_PROFILE, Batch, in_time, timed
from campaign_scheduler.paying import Cashier
from campaign_scheduler.requests import PageRequests
from campaign_scheduler.store import Stores
from campaign_scheduler.store.pages import Unsaid, messages_of
from carillon.bus import Bus
from carillon.events.catalogue import MESSAGE_ACCEPTED
from carillon.events.message import Accepted
from carillon.mongo import Lease, Leases
from carillon.runtime.clock import Clock

log = structlog.get_logger(__name__)

PAGES_A_ROUND: Final = 4
ON_THE_WAY: Final = 20  # pages that were said and are not with operators yet: beyond it, the pipeline has no room
_IDLE_S: Final = 0.25
_RENEW_S: Final = 4.0
_STALE_MS: Final = 60_000  # messages that waited longer than this are accepted anew, when they are said

_PATIENCE_S: Final = 8.0  # credit that lies idle in other processes has come back by then
CREDIT_EXHAUSTED: Final = "credit_exhausted"

Saying = tuple[tuple[int, int, int], ...]


class Ready(NamedTuple):
    """Messages that may be said now, and where their batch is. Leases on them are to be closed."""

    page: int
    place: int
    messages: list[Accepted]


class Runner:
    """Runs campaigns, one call of `run` for each."""

    def __init__(
        self,
        stores: Stores,
        requests: PageRequests,
        cashier: Cashier,
        bus: Bus,
        leases: Leases,
        clock: Clock,
        may_send: Callable[[str], bool],
    ) -> None:
        self._campaigns = stores.campaigns
        self._pages = stores.pages
        self._requests = requests
        self._cashier = cashier
        self._broke_since_s: dict[str, float] = {}
        self._bus = bus
        self._leases = leases
        self._clock = clock
        self._may_send = may_send

    async def run(self, campaign_id: str, woken: asyncio.Event) -> None:
        """Return when there is nothing (more) to say, or another process holds the campaign."""
        lease = await self._leases.acquire(f"campaign:{campaign_id}")
        if lease is None:
            return
        try:
            campaign = await self._campaigns.take(campaign_id, lease.token)
            if campaign is not None:
                await self._say_again(campaign)
                await self._rounds(campaign, lease, woken)
        finally:
            await self._leases.release(lease)

    async def _rounds(self, campaign: Campaign | None, lease: Lease, woken: asyncio.Event) -> None:
        renew_s = self._clock.monotonic_s() + _RENEW_S
        while campaign is not None and campaign.fence == lease.token:
            if campaign.state != "running":
                await self._campaigns.said(campaign)
                return
            woken.clear()
            pause_s = await self._round(campaign, lease)
            if pause_s is None:
                return
            if pause_s:
                await _wait(woken, pause_s)
            if self._clock.monotonic_s() >= renew_s:
                if not await self._leases.renew(lease):
                    return
                renew_s = self._clock.monotonic_s() + _RENEW_S
            campaign = await self._campaigns.get(campaign.id)

    async def _round(self, campaign: Campaign, lease: Lease) -> float | None:
        """How long to pause until the next round; None when all is said."""
        if not self._may_send(campaign.account):  # suspended or closed; it goes on when the account does
            await self._settle(campaign)
            return _IDLE_S
        await self._requests.next(campaign)
        now_ms = self._clock.now_ms()
        if campaign.next_say_at > now_ms:
            await self._settle(campaign)
            return min((campaign.next_say_at - now_ms) / 1000, _IDLE_S)
        if await self._pages.on_the_way(campaign.id, ON_THE_WAY) >= ON_THE_WAY:
            await self._settle(campaign)
            return _IDLE_S
        ready: list[Ready] = []
        try:
            is_broke = await self._collect(campaign, lease, now_ms, ready)
            if ready:
                self._broke_since_s.pop(campaign.id, None)
                await self._say_new(campaign, lease, ready, now_ms)
                return 0.0
        finally:
            for batch in ready:
                self._cashier.close(batch.messages)
        if not await self._settle(campaign):
            return 0.0
        if is_broke:
            await self._wait_for_credit(campaign, now_ms)
            return _IDLE_S
        if campaign.is_whole and not (await self._pages.waiting(campaign.id, now_ms, 1))[1]:
            await self._campaigns.all_said(campaign)
            return None
        return _IDLE_S

    async def _settle(self, campaign: Campaign) -> bool:
        """Nothing is being said any more; False when the campaign as we read it has to be read again."""
        if not campaign.saying:
            return True
        await self._campaigns.said(campaign)
        return False

    async def _wait_for_credit(self, campaign: Campaign, now_ms: int) -> None:
        """A while, then it pauses."""
        now_s = self._clock.monotonic_s()
        if now_s - self._broke_since_s.setdefault(campaign.id, now_s) < _PATIENCE_S:
            return
        if await self._campaigns.pause(campaign, CREDIT_EXHAUSTED, now_ms):
            del self._broke_since_s[campaign.id]
            log.info("campaign.paused", campaign=campaign.id, reason=CREDIT_EXHAUSTED)

    async def _collect(self, campaign: Campaign, lease: Lease, now_ms: int, ready: list[Ready]) -> bool:
        """Batches that may be said now, into `ready`; with a rate, one at a time. True: credit ran out after them."""
        limit = PAGES_A_ROUND if campaign.rate_per_minute is None else 1
        for unsaid in await self._pages.unsaid(campaign.id, now_ms, limit):
            page: Unsaid | None = unsaid
            for place, batch in enumerate(unsaid.batches):
                if batch["is_said"] or batch["at"] > now_ms:
                    continue
                assert page is not None
                messages = await self._open(campaign, page, place, now_ms)
                if messages is None:
                    break  # the page was split: it is read again
                if self._is_to_pay(campaign, messages):
                    if not lease.is_held():
                        return False
                    paid = await self._cashier.pay(campaign.account, messages)
                    page = await self._store_paid(page, place, paid.messages, messages[len(paid.messages) :])
                    if page is None:
                        self._cashier.close(paid.messages)
                        break
                    if len(paid.messages) < len(messages):
                        if paid.messages:
                            ready.append(Ready(page.page, place, paid.messages))
                        return paid.is_broke
                    messages = paid.messages
                ready.append(Ready(unsaid.page, place, messages))
                if len(ready) == limit:
                    return False
        return False

    def _is_to_pay(self, campaign: Campaign, messages: Sequence[Accepted]) -> bool:
        """Also where leases were stored and nothing was decided then: they may be over."""
        return self._cashier.charges(campaign.account) or messages[0].lease_id is not None

    async def _store_paid(
        self, page: Unsaid, place: int, paid: list[Accepted], unpaid: list[Accepted]
    ) -> Unsaid | None:
        """The page with its leases: who says it again says the same. None when somebody else was faster."""
        if not paid:
            return page
        at, rule = page.batches[place]["at"], page.batches[place]["rule"]
        batches = [Batch(at=at, rule=rule, messages=some) for some in (paid, unpaid) if some]
        try:
            return await self._pages.split(page, place, batches)
        except BaseException:
            self._cashier.close(paid)
            raise

    async def _open(self, campaign: Campaign, page: Unsaid, place: int, now_ms: int) -> list[Accepted] | None:
        """The messages of a batch, all of which may be said now; None when some may not (any more)."""
        stored = page.batches[place]
        messages = messages_of(stored)
        if campaign.profile == NO_PROFILE:
            return messages
        batch = Batch(at=stored["at"], rule=stored["rule"], messages=messages)
        batches = in_time(batch, campaign, page.alsatians, now_ms)
        if len(batches) == 1 and batches[0].at <= now_ms:
            return messages
        await self._pages.split(page, place, batches)
        return None

    async def _say_new(self, campaign: Campaign, lease: Lease, ready: Sequence[Ready], now_ms: int) -> None:
        saying: Saying = tuple((batch.page, batch.place, len(batch.messages)) for batch in ready)
        count = sum(each[2] for each in saying)
        next_at = next_say_ms(campaign.rate_per_minute, count, now_ms, campaign.next_say_at)
        if lease.is_held() and await self._campaigns.decide(campaign, saying, now_ms, next_at):
            await self._say(campaign.id, saying, [batch.messages for batch in ready], now_ms)

    async def _say_again(self, campaign: Campaign) -> None:
        """What the former holder decided and may not have said."""
        if not campaign.saying:
            return
        pages = {page.page: page for page in await self._pages.some(campaign.id, {each[0] for each in campaign.saying})}
        left: Saying = tuple(each for each in campaign.saying if not pages[each[0]].batches[each[1]]["is_said"])
        batches = [messages_of(pages[page].batches[place]) for page, place, _ in left]
        log.info("campaign.said_again", campaign=campaign.id, batches=len(left))
        await self._say(campaign.id, left, batches, campaign.saying_at)
        await self._campaigns.said(campaign)

    async def _say(self, campaign: str, saying: Saying, batches: Sequence[list[Accepted]], at_ms: int) -> None:
        await asyncio.gather(
            *(self._bus.publish(MESSAGE_ACCEPTED, _fresh(messages, at_ms), lane="bulk") for messages in batches)
        )
        await self._pages.said(campaign, saying)


def _fresh(messages: list[Accepted], said_at_ms: int) -> list[Accepted]:
    waited_ms = said_at_ms - messages[0].accepted_at
    return timed(messages, said_at_ms) if waited_ms > _STALE_MS else messages


async def _wait(woken: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await woken.wait()
    except TimeoutError:
        pass
