"""What an account may send: messages a second and a day, and not suddenly to unusual countries.

The quota a second is divided by the number of ingest processes (`CARILLON_INGEST_PROCESSES`), rounded up; the one a day
is exact over all of them (see `ingest.store.day_quotas`). An account without quotas pays two comparisons.
"""

import asyncio
import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from carillon.bus import Bus
from carillon.events.account import AccountChanged, DestinationHeld
from carillon.events.catalogue import DESTINATION_HELD
from carillon.mongo import TEMPORARY_ERRORS
from carillon.runtime.background import Every
from carillon.runtime.clock import Clock
from ingest.domain.rate import PerSecond
from ingest.domain.refusal import Refusal
from ingest.domain.unusual import Alarm
from ingest.store.day_quotas import day_of

log = structlog.get_logger(__name__)

_DAY_MS: Final = 86_400_000
_SWEEP_S: Final = 1.0
_IDLE_S: Final = 5.0
_REFUSED_S: Final = 1.0  # a quota that is used up is not asked for again so soon


class Days(Protocol):
    """Where a day's messages are counted; see `ingest.store.day_quotas.DayQuotas`."""

    async def take(self, account: str, day: str, quota: int) -> tuple[int, int]:
        """A chunk, and how many are used with it."""
        ...

    async def give_back(self, account: str, day: str, messages: int) -> None:
        """What was not spent."""
        ...


@dataclass(slots=True)
class _Chunk:
    """What this process may still send on a day. `used` is the day's count when the chunk was taken."""

    day: str
    ends_s: float
    left: int = 0
    used: int = 0
    last_s: float = 0.0
    refused_until_s: float = 0.0


class Limits:
    """A part. Stop it after the doors."""

    def __init__(self, bus: Bus, days: Days, clock: Clock, *, processes: int = 1) -> None:
        self._bus = bus
        self._days = days
        self._clock = clock
        self._processes = processes
        self._seconds: dict[str, tuple[int, PerSecond]] = {}
        self._chunks: dict[str, _Chunk] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._alarm = Alarm()
        self._sweeper = Every("quotas", _SWEEP_S, self.sweep)

    async def start(self) -> None:
        """Begin to give back and to say."""
        await self._sweeper.start()

    async def stop(self) -> None:
        """Give back what was not spent."""
        await self._sweeper.stop()
        try:
            await self._give_back(everything=True)
            await self._say_held()
        except TEMPORARY_ERRORS as error:
            log.warning("quotas.not_given_back", error=repr(error))

    def has_any(self, account: AccountChanged) -> bool:
        """Whether `admit` is to be asked."""
        return bool(account.quota_per_s or account.quota_per_day or account.unusual_per_hour)

    async def admit(self, account: AccountChanged, number: str) -> None:
        """Count one message; `Refusal` when it is one too many. Raises the database's errors when nobody can tell."""
        now_s = self._clock.monotonic_s()
        if account.unusual_per_hour:
            country = self._alarm.refuses(account, number, now_s)
            if country is not None:
                detail = f"much more than usual goes to {country}: allow it by PUT /v1/account/countries/{country}"
                raise Refusal("destination_unusual", detail, "to")
        if account.quota_per_s and not self._second(account).take(now_s):
            raise Refusal("quota_exceeded", f"at most {account.quota_per_s} messages a second", retry_after_s=1)
        if account.quota_per_day and not self._take_now(account, now_s):
            await self._take(account, now_s)

    def undo(self, account: AccountChanged) -> None:
        """The message that was admitted is refused for another reason: the day has it back."""
        chunk = self._chunks.get(account.id)
        if account.quota_per_day and chunk is not None:
            chunk.left += 1

    def headers(self, account: AccountChanged) -> dict[str, str]:
        """`RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10); empty without a quota."""
        policies: list[str] = []
        states: list[str] = []
        if account.quota_per_s:
            bucket = self._second(account)
            policies.append(f'"second";q={bucket.rate};w=1')
            states.append(f'"second";r={bucket.left(self._clock.monotonic_s())};t=1')
        if account.quota_per_day:
            policies.append(f'"day";q={account.quota_per_day};w=86400')
            chunk = self._chunks.get(account.id)
            now_ms = self._clock.now_ms()
            if chunk is not None and self._clock.monotonic_s() < chunk.ends_s:
                left = max(account.quota_per_day - chunk.used, 0) + chunk.left
                states.append(f'"day";r={left};t={_seconds_left(now_ms)}')
        if not policies:
            return {}
        known = {"RateLimit": ", ".join(states)} if states else {}
        return {"RateLimit-Policy": ", ".join(policies), **known}

    async def sweep(self) -> None:
        """Chunks that lie idle go back; countries that are held are said."""
        await self._say_held()
        await self._give_back(everything=False)

    def _second(self, account: AccountChanged) -> PerSecond:
        known = self._seconds.get(account.id)
        if known is None or known[0] != account.quota_per_s:
            bucket = PerSecond(math.ceil(account.quota_per_s / self._processes))
            known = self._seconds[account.id] = (account.quota_per_s, bucket)
        return known[1]

    def _take_now(self, account: AccountChanged, now_s: float) -> bool:
        chunk = self._chunks.get(account.id)
        if chunk is None or chunk.left <= 0 or now_s >= chunk.ends_s:
            return False
        chunk.left -= 1
        chunk.last_s = now_s
        return True

    async def _take(self, account: AccountChanged, now_s: float) -> None:
        async with self._locks[account.id]:
            if self._take_now(account, now_s):
                return
            now_ms = self._clock.now_ms()
            chunk = self._chunks.get(account.id)
            if chunk is None or now_s >= chunk.ends_s:
                ends_s = now_s + (_DAY_MS - now_ms % _DAY_MS) / 1000
                chunk = self._chunks[account.id] = _Chunk(day_of(now_ms), ends_s)
            if now_s >= chunk.refused_until_s:
                granted, chunk.used = await self._days.take(account.id, chunk.day, account.quota_per_day)
                chunk.left += granted
                if not granted:
                    chunk.refused_until_s = now_s + _REFUSED_S
            if not self._take_now(account, now_s):
                detail = f"at most {account.quota_per_day} messages a day (UTC)"
                raise Refusal("quota_exceeded", detail, retry_after_s=_seconds_left(now_ms))

    async def _give_back(self, *, everything: bool) -> None:
        now_s = self._clock.monotonic_s()
        for account, chunk in list(self._chunks.items()):
            if now_s >= chunk.ends_s:
                del self._chunks[account]
            elif chunk.left and (everything or chunk.last_s + _IDLE_S <= now_s):
                messages, chunk.left = chunk.left, 0
                chunk.used -= messages
                await self._days.give_back(account, chunk.day, messages)

    async def _say_held(self) -> None:
        held = self._alarm.take_to_say()
        if not held:
            return
        now_ms = self._clock.now_ms()
        records = [
            DestinationHeld(account=one.account, country=one.country, messages=one.messages, at=now_ms) for one in held
        ]
        try:
            await self._bus.publish(DESTINATION_HELD, records)
        except BaseException:
            self._alarm.put_back(held)
            raise


def _seconds_left(now_ms: int) -> int:
    return math.ceil((_DAY_MS - now_ms % _DAY_MS) / 1000)
