"""The line to one operator: messages wait in two lanes, are reserved in the journal, and leave as the window allows.

    handler --take--> waiting (urgent | bulk) --reserve--> ready parts --submit--> connector
                                                                 answer --> settlement --> outbox --> batch done

The last step before a submit asks whether the number is suppressed, so that a STOP wins over whatever waits. A
message of several parts is asked about before its first: half a message helps nobody.

Only about a window's worth is reserved at a time, so a crash leaves few messages in doubt. Nothing here is a task or
a future for each message: a job counts what it still waits for, and its batch counts its jobs.
"""

import asyncio
import itertools
import secrets
from collections import deque
from collections.abc import Sequence
from typing import Protocol

import structlog

from carillon.bus import Delivery
from carillon.events.base import LANES, Lane
from carillon.events.message import Routed
from carillon.runtime.clock import Clock
from carillon.telemetry import metrics, names, traces
from dispatcher.connectors.port import Answer, Connector, OutgoingPart
from dispatcher.domain.operators import Operator
from dispatcher.domain.pace import Pace
from dispatcher.domain.parts import parts_of
from dispatcher.job import Batch, Job
from dispatcher.settlement import Settlement
from dispatcher.store import Journal

log = structlog.get_logger(__name__)

_MOST_RESERVED_AT_ONCE = 500
_LOOK_AGAIN_S = 1.0


class Suppressed(Protocol):
    """Whom nothing may be sent to; `carillon.copies.SuppressionCopy` is one."""

    @property
    def holds(self) -> bool:
        """Whether somebody may be missing just now: nothing should leave."""
        ...

    def has(self, account: str, number: str, /) -> bool:
        """Whether this account may not write to this number."""
        ...


class Line:
    """A part. One for each operator, in each process that holds a bind to it."""

    def __init__(
        self,
        operator: Operator,
        connector: Connector,
        journal: Journal,
        settlement: Settlement,
        suppressed: Suppressed,
        clock: Clock,
    ) -> None:
        self.operator = operator
        self._connector = connector
        self._journal = journal
        self._settlement = settlement
        self._suppressed = suppressed
        self._clock = clock
        self._pace = Pace(operator.tps, clock.monotonic_s())
        self._waiting: dict[Lane, deque[Job]] = {lane: deque() for lane in LANES}
        self._later: list[Job] = []
        self._ready: dict[Lane, deque[tuple[Job, int]]] = {lane: deque() for lane in LANES}
        self._jobs: dict[str, Job] = {}
        # keys of reservations whose answer was lost, with the calls' tokens: nothing was sent under them
        self._unsure: dict[str, set[str]] = {}
        self._calls = (f"{secrets.token_hex(6)}-{number}" for number in itertools.count())
        self._wake = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None
        self._closing = False
        self._unanswered = 0
        connector.on_room = self._wake.set

    async def start(self) -> None:
        """Begin to send, or begin again after `close`."""
        self._closing = False
        self._pump = asyncio.create_task(self._run(), name=f"line {self.operator.name}")

    async def close(self) -> None:
        """Send nothing more; what has not been reserved goes back to the operator's queue, for another process."""
        self._closing = True
        self._wake.set()
        if self._pump is not None:
            await asyncio.gather(self._pump, return_exceptions=True)
        for job in [*self._later, *self._waiting["urgent"], *self._waiting["bulk"]]:
            self._settlement.hand_back(job)
        for job in dict.fromkeys(job for job, _ in (*self._ready["urgent"], *self._ready["bulk"])):
            job.give_up(stays=True)
            if not job.unanswered:
                self._settlement.conclude(job)
        self._later = []
        for lane in LANES:
            self._waiting[lane].clear()
            self._ready[lane].clear()

    def share(self, binds_held: int) -> None:
        """This process holds so many of the operator's binds: its share of the rate goes with them."""
        tps = self.operator.tps
        self._pace.limit(tps * binds_held / self.operator.binds, self._clock.monotonic_s())

    async def take(self, deliveries: Sequence[Delivery]) -> None:
        """Handler of the operator's queues: returns when each message has come to its end at this operator."""
        batch = Batch(sum(len(delivery.records) for delivery in deliveries))
        for delivery in deliveries:
            for record in delivery.records:
                assert isinstance(record, Routed)
                self._take(record, batch, delivery.redelivered)
        self._wake.set()
        await batch.done

    def _take(self, routed: Routed, batch: Batch, redelivered: bool) -> None:
        job = Job(routed, [batch], redelivered, self._forget)
        known = self._jobs.get(job.key)
        if known is not None:  # delivered again while it is still in our hands: both wait for the one end
            known.batches.append(batch)
            return
        self._jobs[job.key] = job
        if self._closing:
            self._settlement.hand_back(job)
        elif routed.not_before is not None and routed.not_before > self._clock.now_ms():
            self._later.append(job)
        else:
            self._waiting[routed.message.lane].append(job)

    def _forget(self, job: Job) -> None:
        self._jobs.pop(job.key, None)

    async def _run(self) -> None:
        while not self._closing:
            self._wake.clear()
            self._due()
            # one reading of the clock for "nothing may leave yet" and "wait so long": a token that came in between
            # would end the wait's reason, and nobody would wake us
            now_s = self._clock.monotonic_s()
            jobs = self._next_jobs(now_s)
            if jobs:
                await self._reserve(jobs)
                now_s = self._clock.monotonic_s()
            self._send_ready(now_s)
            metrics.set_line(self.operator.name, len(self._jobs), self._unanswered)
            if not (jobs and self._room(now_s) > 0):
                await self._wait(now_s)

    async def _wait(self, now_s: float) -> None:
        pause_s = self._pace.wait_s(now_s)
        if pause_s is None and self._jobs:
            pause_s = _LOOK_AGAIN_S  # for those of `_later`, and a bind whose lease is ours again wakes nobody
        if pause_s is None:
            await self._wake.wait()
            return
        try:
            await asyncio.wait_for(self._wake.wait(), min(pause_s, _LOOK_AGAIN_S))
        except TimeoutError:
            return

    def _due(self) -> None:
        """Messages that were to wait a little have waited."""
        if not self._later:
            return
        now_ms = self._clock.now_ms()
        for job in self._later:
            if (job.routed.not_before or 0) <= now_ms:
                self._waiting[job.message.lane].append(job)
        self._later = [job for job in self._later if (job.routed.not_before or 0) > now_ms]

    def _room(self, now_s: float) -> int:
        ready = len(self._ready["urgent"]) + len(self._ready["bulk"])
        return self._may_leave(now_s) - ready

    def _may_leave(self, now_s: float) -> int:
        """Parts that may leave now. None while opt-outs may have been missed; the next look is a second away."""
        return 0 if self._suppressed.holds else min(self._connector.room(), self._pace.allowance(now_s))

    def _more_than_half_is_out(self) -> bool:
        return self._unanswered > 0 and 2 * self._connector.room() < self._connector.window()

    def _next_jobs(self, now_s: float) -> list[Job]:
        """Jobs to reserve together: as many as the window has room for, once half of it is free (or nothing is out)."""
        room = self._room(now_s)
        if room <= 0 or (self._more_than_half_is_out() and not self._waiting["urgent"]):
            return []
        jobs: list[Job] = []
        now_ms = self._clock.now_ms()
        for lane in LANES:
            waiting = self._waiting[lane]
            while waiting and room > 0 and len(jobs) < _MOST_RESERVED_AT_ONCE:
                job = waiting.popleft()
                if job.message.expires_at is not None and job.message.expires_at <= now_ms:
                    self._settlement.refuse(job, "expired", None)
                    continue
                jobs.append(job)
                room -= job.message.parts
        return jobs

    async def _reserve(self, jobs: Sequence[Job]) -> None:
        """Reserve, and make ready what was not reserved before. What fails is handled again, with its whole batch."""
        keys = [job.key for job in jobs]
        try:
            taken = await self._taken(keys)
        except Exception as error:  # noqa: BLE001  a server is away, or worse: nothing has been sent
            log.warning("line.reserve_failed", operator=self.operator.name, error=repr(error))
            for job in jobs:
                self._drop(job, error)
            return
        for job in jobs:
            if job.key in taken:
                await self._meet_again(job)
            else:
                self._make_ready(job)

    async def _taken(self, keys: Sequence[str]) -> set[str]:
        """Reserve all keys; those that somebody had reserved before, and may have sent."""
        token = next(self._calls)
        fresh = set(keys)
        try:
            taken: set[str] = await self._journal.reserve(keys, self.operator.name, token)
            fresh -= taken
            doubtful = taken & self._unsure.keys()
            if doubtful:  # reserved by an earlier call of ours that was not answered, and so not sent?
                tokens = await self._journal.tokens(doubtful)
                taken -= {key for key in doubtful if tokens.get(key) in self._unsure[key]}
        except Exception:
            for key in fresh:
                self._unsure.setdefault(key, set()).add(token)
            raise
        for key in keys:
            self._unsure.pop(key, None)
        return taken

    async def _meet_again(self, job: Job) -> None:
        try:
            await self._settlement.met_again(job)
        except Exception as error:  # noqa: BLE001  the database is away: the batch is handled again
            self._drop(job, error)

    def _drop(self, job: Job, error: Exception) -> None:
        self._forget(job)
        job.fail(error)

    def _make_ready(self, job: Job) -> None:
        job.payloads, job.texts = parts_of(job.message, self.operator.default_alphabet)
        job.done_places = list(job.routed.parts_done)
        places = [place for place in range(1, len(job.payloads) + 1) if place not in job.done_places]
        job.waiting.extend(places)
        self._ready[job.message.lane].extend((job, place) for place in places)

    def _send_ready(self, now_s: float) -> None:
        may_leave = self._may_leave(now_s)
        sent = 0
        for lane in LANES:
            ready = self._ready[lane]
            while ready and sent < may_leave:
                job, place = ready.popleft()
                if place not in job.waiting:  # refused or given up meanwhile, by the answer to another part
                    continue
                if not job.begun and self._suppressed.has(job.message.account, job.message.number):
                    self._settlement.refuse(job, "suppressed", None)
                    continue
                self._send(job, place)
                sent += 1
        if sent:
            self._pace.spend(sent)

    def _send(self, job: Job, place: int) -> None:
        job.begun = True
        job.waiting.remove(place)
        job.unanswered += 1
        self._unanswered += 1
        message = job.message
        validity_s = self.operator.validity_s
        if message.expires_at is not None:
            validity_s = min(validity_s, max((message.expires_at - self._clock.now_ms()) // 1000, 1))
        part = OutgoingPart(message, place, job.payloads[place - 1], job.texts[place - 1], validity_s)
        left_s = self._clock.monotonic_s()
        span = None
        if message.trace is not None:
            span = traces.begin(names.OPERATOR_SUBMIT, message.trace, {names.OPERATOR: self.operator.name})

        def on_answer(answer: Answer) -> None:
            self._unanswered -= 1
            job.unanswered -= 1
            metrics.record_submits(self.operator.name, answer.kind)
            metrics.record_submit_duration(self.operator.name, self._clock.monotonic_s() - left_s)
            if span is not None:
                span.set_attribute(names.OUTCOME, answer.kind)
                span.end()
            self._on_answer(job, place, answer)

        self._connector.submit(part, on_answer)

    def _on_answer(self, job: Job, place: int, answer: Answer) -> None:
        if answer.kind == "taken":
            self._pace.accepted()
        if answer.kind == "throttled" and not (self._closing or job.refused or job.gave_up):
            self._pace.throttled(self._clock.monotonic_s())
            job.waiting.append(place)
            job.begun = bool(job.done_places or job.unanswered)
            self._ready[job.message.lane].appendleft((job, place))
        else:
            self._settlement.answered(job, place, answer)
        if not job.waiting and not job.unanswered:
            self._settlement.conclude(job)
        self._wake.set()
