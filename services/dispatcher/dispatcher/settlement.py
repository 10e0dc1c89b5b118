"""What an answer means for a message, and the event that says so. The last event of a job ends it for its batch."""

from collections import OrderedDict

from carillon.events.base import Lane
from carillon.events.catalogue import MESSAGE_REFUSED, MESSAGE_ROUTED, MESSAGE_SUBMITTED
from carillon.events.message import Refused, Routed, SubmitOutcome, Submitted
from carillon.runtime.clock import Clock
from carillon.runtime.committer import Committer, Done
from carillon.telemetry import metrics
from dispatcher.connectors.port import Answer
from dispatcher.domain.operators import Operator
from dispatcher.domain.retries import MOST_ATTEMPTS, pause_ms
from dispatcher.job import Job
from dispatcher.outbox import Outbox
from dispatcher.store import Journal

_REMEMBERED = 200_000


class Recent:
    """Remembers what was submitted lately: spares receipt a look-up, and tells a report's lane and trace. A hint."""

    def __init__(self) -> None:
        self._refs: OrderedDict[str, tuple[int, int, Lane, str | None]] = OrderedDict()

    def add(self, ref: str, message_id: int, place: int, lane: Lane, trace: str | None) -> None:
        """A part was taken under this reference."""
        self._refs[ref] = (message_id, place, lane, trace)
        if len(self._refs) > _REMEMBERED:
            self._refs.popitem(last=False)

    def find(self, ref: str) -> tuple[int, int, Lane, str | None] | None:
        """Message id, place, lane and traceparent."""
        return self._refs.get(ref)


class Settlement:
    """Turns answers into events, for one operator."""

    def __init__(self, operator: Operator, outbox: Outbox, journal: Journal, recent: Recent, clock: Clock) -> None:
        self._operator = operator
        self._outbox = outbox
        self._journal = journal
        self._recent = recent
        self._clock = clock
        self._settled: Committer[str] = Committer(journal.settle, max_waiting=1_000_000)

    def answered(self, job: Job, place: int, answer: Answer) -> None:
        """The operator answered one part, or never will."""
        if answer.kind == "taken":
            job.done_places.append(place)
            self._say_submitted(job, place, answer.ref)
        elif answer.kind == "refused":
            self.refuse(job, answer.code or "operator_refused", answer.detail)
        elif answer.kind == "unanswered" and job.message.on_ambiguous == "hold":
            self._say_ambiguous(job, place)
        else:
            job.give_up(stays=answer.kind == "unanswered")

    def conclude(self, job: Job) -> None:
        """No part of it is out or to be sent: what was not taken is tried elsewhere, unless the message is refused."""
        if job.gave_up and not job.refused:
            job.gave_up = False
            self._hand_on(job)
        job.end_if_complete()

    def refuse(self, job: Job, code: str, detail: str | None) -> None:
        """The message will not be delivered; its other parts are not sent."""
        job.waiting.clear()
        if job.refused:
            return
        job.refused = True
        metrics.record_refused(code)
        refused = Refused(
            id=job.message.id,
            account=job.message.account,
            code=code,
            detail=detail,
            operator=self._operator.name,
            at=self._clock.now_ms(),
            trace=job.message.trace,
        )
        job.unsaid += 1
        self._outbox.say(MESSAGE_REFUSED, job.message.lane, refused, job.said)

    def hand_back(self, job: Job) -> None:
        """It was never reserved: back to the same operator's queue, the same attempt."""
        self._reroute(job, job.routed.operators, job.routed.attempt, job.routed.not_before)

    async def met_again(self, job: Job) -> None:
        """Its reservation was there: a delivery after a crash, or the same message said twice.

        Nobody knows whether the operator has it. Held, unless the account wants it sent again and no answer is known.
        """
        again = job.message.on_ambiguous == "resend" and job.redelivered and not await self._journal.answered(job.key)
        if again:
            job.give_up(stays=True)
        else:
            self._say_ambiguous(job, 1)
        self.conclude(job)

    def _hand_on(self, job: Job) -> None:
        """To the next operator at once; back to the first after a pause. Each try has its own key in the journal."""
        attempt = job.routed.attempt + 1
        operators = job.routed.operators
        if attempt >= MOST_ATTEMPTS:
            self.refuse(job, "operator_unavailable", f"{attempt} attempts")
            return
        not_before = None
        if not job.stays:
            operators = [*operators[1:], operators[0]]
            rounds, place = divmod(attempt, len(operators))
            if place == 0:
                not_before = self._clock.now_ms() + pause_ms(rounds)
        self._reroute(job, operators, attempt, not_before)

    def _reroute(self, job: Job, operators: list[str], attempt: int, not_before: int | None) -> None:
        routed = Routed(
            message=job.message,
            operators=operators,
            attempt=attempt,
            parts_done=sorted(job.done_places),
            not_before=not_before,
        )
        job.unsaid += 1
        self._outbox.say(MESSAGE_ROUTED, job.message.lane, routed, job.said, place=operators[0])

    def _say_ambiguous(self, job: Job, place: int) -> None:
        job.unsaid += 1
        self._outbox.say(MESSAGE_SUBMITTED, job.message.lane, self._submitted(job, place, None, "ambiguous"), job.said)

    def _say_submitted(self, job: Job, place: int, ref: str | None) -> None:
        if ref:
            message = job.message
            self._recent.add(f"{self._operator.name}:{ref}", message.id, place, message.lane, message.trace)
        submitted = self._submitted(job, place, ref, "submitted")
        job.unsaid += 1
        done: Done = job.said
        if job.message.on_ambiguous == "resend":

            def done(error: BaseException | None) -> None:
                if error is None:
                    self._settled.add_then(job.key, job.said)
                else:
                    job.said(error)

        self._outbox.say(MESSAGE_SUBMITTED, job.message.lane, submitted, done)

    def _submitted(self, job: Job, place: int, ref: str | None, outcome: SubmitOutcome) -> Submitted:
        message = job.message
        return Submitted(
            id=message.id,
            account=message.account,
            part=place,
            parts=message.parts,
            operator=self._operator.name,
            outcome=outcome,
            ref=ref,
            number=message.number,
            at=self._clock.now_ms(),
            attempt=job.routed.attempt,
            trace=message.trace,
        )
