"""A process's purse: credit that accounts has lent to it, spent in memory (ARCHITECTURE section 4).

A lease is spent until it is too small for the message at hand, until its time is over, or until it lies idle; then
its end is said, after the messages that spent it, and accounts takes back what they did not spend. So what is spent
here and never becomes a message (a retry of a known one, say) is not lost either.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from carillon.bus import Bus, BusDownError, Delivery, Subscription
from carillon.bus.topology import lease_answers
from carillon.events.catalogue import LEASE_ENDED, LEASE_REQUESTED
from carillon.events.credit import LeaseAnswered, LeaseEnded, LeaseRequested
from carillon.runtime.background import Every
from carillon.runtime.clock import Clock
from carillon.runtime.ids import new_id

log = structlog.get_logger(__name__)

_ANSWER_S = 5.0
_SPEND_S = 10.0  # a lease is to last about so long at the present rate
_FIRST_MESSAGES = 100  # the first lease of an account: so many like the one that waits
_REFUSED_S = 1.0  # after "no credit", nobody asks again for so long
_IDLE_S = 5.0
_SWEEP_S = 1.0
_MARGIN_S = 5.0  # a lease is not spent in its last seconds


class CreditExhaustedError(Exception):
    """The account has not got what the message costs."""


class CreditUnavailableError(ConnectionError):
    """Nobody could say whether the account has credit: come back in a moment."""


@dataclass(slots=True)
class _Lease:
    id: str
    account: str
    left_micros: int
    until_s: float
    last_used_s: float
    under_way: int = 0  # messages that spent of it and are not confirmed yet
    over: bool = False


@dataclass(slots=True)
class _Pocket:
    """One account's: the lease in use, the request under way, and how fast it spends."""

    lease: _Lease | None = None
    asked: tuple[int, asyncio.Future[int]] | None = None
    refused_micros: int = 0
    refused_until_s: float = 0.0
    spent_micros: int = 0
    since_s: float = field(default_factory=time.monotonic)


class Purse:
    """A part. Stop it after whoever spends from it."""

    def __init__(self, bus: Bus, *, service: str, process: str, clock: Clock) -> None:
        self._bus = bus
        self._process = process
        self._clock = clock
        self._queue = lease_answers(service, process)
        self._pockets: dict[str, _Pocket] = {}
        self._leases: dict[str, _Lease] = {}
        self._requests: dict[str, tuple[LeaseRequested, asyncio.Future[int], float]] = {}
        self._sweeper = Every("leases", _SWEEP_S, self._sweep)
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen for answers."""
        await self._bus.subscribe(Subscription(self._queue, self._on_answer))
        await self._sweeper.start()

    async def stop(self) -> None:
        """End every lease: the accounts have their credit back at once."""
        await self._sweeper.stop()
        for lease in list(self._leases.values()):
            lease.over = True
        await self._say_ended()
        await self._bus.unsubscribe(self._queue.name)

    def spend_now(self, account: str, micros: int) -> str | None:
        """The lease that pays, if there is one with enough in it; None: `await spend`. Call `done` later."""
        pocket = self._pockets.get(account)
        lease = pocket.lease if pocket else None
        if pocket is None or lease is None:
            return None
        now_s = time.monotonic()
        if lease.left_micros < micros or lease.until_s <= now_s:
            lease.over = True
            pocket.lease = None
            return None
        lease.left_micros -= micros
        lease.last_used_s = now_s
        lease.under_way += 1
        pocket.spent_micros += micros
        return lease.id

    async def spend(self, account: str, micros: int) -> str:
        """The lease that pays; call `done` with it when its message is durable, or is not to be.

        Raises `CreditExhaustedError` or `CreditUnavailableError`.
        """
        while True:
            paid = self.spend_now(account, micros)
            if paid is not None:
                return paid
            pocket = self._pockets.setdefault(account, _Pocket())
            now_s = time.monotonic()
            if now_s < pocket.refused_until_s and micros >= pocket.refused_micros:
                raise CreditExhaustedError(account)
            if pocket.asked is None:
                pocket.asked = (micros, await self._ask(account, pocket, micros))
            needed, answer = pocket.asked
            try:
                granted = await asyncio.wait_for(asyncio.shield(answer), _ANSWER_S)
            except TimeoutError as error:
                raise CreditUnavailableError("accounts did not answer") from error
            if not granted and needed <= micros:
                raise CreditExhaustedError(account)

    def done(self, lease_id: str) -> None:
        """A message that spent of the lease is confirmed by the broker, or failed."""
        lease = self._leases.get(lease_id)
        if lease is not None:
            lease.under_way -= 1

    async def _ask(self, account: str, pocket: _Pocket, micros: int) -> asyncio.Future[int]:
        now_s = time.monotonic()
        rate = pocket.spent_micros / max(now_s - pocket.since_s, 1.0)
        pocket.spent_micros, pocket.since_s = 0, now_s
        asked = LeaseRequested(
            lease=new_id("lse"),
            account=account,
            process=self._process,
            needed_micros=micros,
            wanted_micros=max(round(rate * _SPEND_S), _FIRST_MESSAGES * micros),
            at=self._clock.now_ms(),
        )
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._requests[asked.lease] = (asked, answer, now_s)
        # in the background: whoever waits has a time-out of its own, and the request outlives it
        task = asyncio.create_task(self._say_request(asked))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return answer

    async def _say_request(self, asked: LeaseRequested) -> None:
        try:
            await self._bus.publish(LEASE_REQUESTED, [asked])
        except BusDownError as error:
            log.warning("credit.not_asked", account=asked.account, error=str(error))

    async def _on_answer(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            for record in delivery.records:
                if isinstance(record, LeaseAnswered) and record.process == self._process:
                    self._take(record)

    def _take(self, answered: LeaseAnswered) -> None:
        known = self._requests.pop(answered.lease, None)
        if known is None:  # said twice, or of a request that was given up: its lease runs out by itself
            return
        asked, answer, asked_s = known
        pocket = self._pockets.setdefault(asked.account, _Pocket())
        if pocket.asked is not None and pocket.asked[1] is answer:
            pocket.asked = None
        if answered.granted_micros:
            until_s = asked_s + answered.lasts_s - _MARGIN_S
            lease = _Lease(asked.lease, asked.account, answered.granted_micros, until_s, time.monotonic())
            if pocket.lease is not None:
                pocket.lease.over = True
            pocket.lease = self._leases[lease.id] = lease
        else:
            pocket.refused_micros = asked.needed_micros
            pocket.refused_until_s = time.monotonic() + _REFUSED_S
        if not answer.done():
            answer.set_result(answered.granted_micros)

    async def _sweep(self) -> None:
        """Leases that are old or idle are over; those that are over and have nothing under way are said to be."""
        now_s = time.monotonic()
        for lease in self._leases.values():
            if lease.until_s <= now_s or lease.last_used_s + _IDLE_S <= now_s:
                lease.over = True
                pocket = self._pockets[lease.account]
                if pocket.lease is lease:
                    pocket.lease = None
        for asked, answer, asked_s in list(self._requests.values()):
            if asked_s + _ANSWER_S <= now_s:
                del self._requests[asked.lease]
                pocket = self._pockets[asked.account]
                if pocket.asked is not None and pocket.asked[1] is answer:
                    pocket.asked = None
        await self._say_ended()

    async def _say_ended(self) -> None:
        ended = [lease for lease in self._leases.values() if lease.over and not lease.under_way]
        if ended:
            at = self._clock.now_ms()
            await self._bus.publish(
                LEASE_ENDED, [LeaseEnded(lease=lease.id, account=lease.account, at=at) for lease in ended]
            )
            for lease in ended:
                del self._leases[lease.id]
