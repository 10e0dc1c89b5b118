"""Single messages with a time of their own: kept, released to the second, or cancelled before.

A prepaid account's are paid when they are released: until then its credit is its own. What credit does not pay for
then is refused, as at the door.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from campaign_scheduler.domain.errors import ConflictError, UnknownError
from campaign_scheduler.paying import Cashier
from campaign_scheduler.runner import CREDIT_EXHAUSTED
from campaign_scheduler.store.deferred import DeferredStore
from carillon.bus import Bus, Delivery
from carillon.events.base import LANES
from carillon.events.catalogue import MESSAGE_ACCEPTED, MESSAGE_REFUSED
from carillon.events.message import Accepted, Deferred, Refused
from carillon.runtime.clock import Clock
from carillon.runtime.ids import time_ms_of

_BATCH: Final = 500
_LEFT_MS: Final = 5_000  # a process that released and did not say by now has died
_ON_ITS_WAY_MS: Final = 10_000  # a message that was taken so lately may still be on the bus
_LOOK_S: Final = 2.0
_POLL_S: Final = 0.05


class KeepDeferred:
    """Handles `message.deferred`."""

    def __init__(self, deferred: DeferredStore) -> None:
        self._deferred = deferred

    async def __call__(self, deliveries: Sequence[Delivery]) -> None:
        """Keep them; told again, this changes nothing."""
        await self._deferred.keep(
            [record for delivery in deliveries for record in delivery.records if isinstance(record, Deferred)]
        )


class Releases:
    """Says messages whose time has come, and cancellations that were not said."""

    def __init__(self, deferred: DeferredStore, cashier: Cashier, bus: Bus, process: str, clock: Clock) -> None:
        self._deferred = deferred
        self._cashier = cashier
        self._one_says = asyncio.Lock()
        self._bus = bus
        self._process = process
        self._clock = clock

    async def sweep(self) -> None:
        """What is due; all of it, however much that is."""
        while due := await self._deferred.due(self._clock.now_ms(), _BATCH):
            await self._deferred.release(due, self._process, self._clock.now_ms())
            await self._say_released(self._process, self._clock.now_ms())

    async def sweep_left(self) -> None:
        """What a process that died had released or cancelled. Its ids are the same: nobody gets it twice."""
        until_ms = self._clock.now_ms() - _LEFT_MS
        await self._say_released(None, until_ms)
        await self._say_refused(None, until_ms)
        while left := await self._deferred.unsaid("cancelled", process=None, until_ms=until_ms, limit=_BATCH):
            for message, at_ms in left:
                await self.say_cancelled(message, at_ms)
        await self._pay(None, until_ms)

    async def sweep_unpaid(self) -> None:
        """Pay what is due, and say it. By itself: who waits for credit holds up nobody else's messages."""
        await self._pay(self._process, self._clock.now_ms())
        await self._say_refused(self._process, self._clock.now_ms())

    async def cancel(self, account_id: str, message_id: int) -> None:
        """Exactly once either released or cancelled; `ConflictError` when it was released."""
        now_ms = self._clock.now_ms()
        if not await self._found(account_id, message_id, now_ms):
            raise UnknownError("message_unknown", "no message with a time of its own has this id")
        if await self._deferred.cancel(account_id, message_id, now_ms):
            for message, at_ms in await self._deferred.one_unsaid(message_id):
                await self.say_cancelled(message, at_ms)
        elif await self._deferred.state(account_id, message_id) != "cancelled":
            raise ConflictError("message_released", "the message was released: it can't be cancelled any more")

    async def say_cancelled(self, message: Accepted, at_ms: int) -> None:
        """For receipt, which tells the client."""
        await self._say_ended(message, "cancelled", at_ms)

    async def _say_ended(self, message: Accepted, code: str, at_ms: int) -> None:
        refused = Refused(id=message.id, account=message.account, code=code, at=at_ms, trace=message.trace)
        await self._bus.publish(MESSAGE_REFUSED, [refused], lane=message.lane)
        await self._deferred.said([message.id], self._clock.now_ms())

    async def _found(self, account_id: str, message_id: int, now_ms: int) -> bool:
        """Whether it is here; one that was taken a moment ago may still be on its way."""
        looked_s = 0.0
        while await self._deferred.state(account_id, message_id) is None:
            if looked_s >= _LOOK_S or abs(now_ms - time_ms_of(message_id)) > _ON_ITS_WAY_MS:
                return False
            await asyncio.sleep(_POLL_S)
            looked_s += _POLL_S
        return True

    async def _pay(self, process: str | None, until_ms: int) -> None:
        """Account by account, in the order of their times. Where nobody can tell, it is tried again later."""
        unpaid = await self._deferred.unsaid("unpaid", process=process, until_ms=until_ms, limit=_BATCH)
        by_account: dict[str, list[Accepted]] = {}
        for message, _ in unpaid:
            by_account.setdefault(message.account, []).append(message)
        for account_id, messages in by_account.items():
            left = messages
            while left:
                left = await self._pay_some(account_id, left)

    async def _pay_some(self, account_id: str, messages: list[Accepted]) -> list[Accepted]:
        """Those that are still to be tried: what comes after one that credit did not pay for may be cheaper."""
        paid, is_broke = await self._cashier.pay(account_id, messages)
        now_ms = self._clock.now_ms()
        try:
            if paid:
                await self._deferred.paid(paid, self._process, now_ms)
                await self._say_released(self._process, now_ms)
        finally:
            self._cashier.close(paid)
        left = messages[len(paid) :]
        if left and is_broke:
            await self._deferred.refuse(left[0].id, self._process, now_ms)
            return left[1:]
        return []

    async def _say_released(self, process: str | None, until_ms: int) -> None:
        async with self._one_says:
            while released := await self._deferred.unsaid("released", process=process, until_ms=until_ms, limit=_BATCH):
                for lane in LANES:
                    messages = [message for message, _ in released if message.lane == lane]
                    if messages:
                        await self._bus.publish(MESSAGE_ACCEPTED, messages, lane=lane)
                await self._deferred.said([message.id for message, _ in released], self._clock.now_ms())

    async def _say_refused(self, process: str | None, until_ms: int) -> None:
        while refused := await self._deferred.unsaid("refused", process=process, until_ms=until_ms, limit=_BATCH):
            for message, at_ms in refused:
                await self._say_ended(message, CREDIT_EXHAUSTED, at_ms)
