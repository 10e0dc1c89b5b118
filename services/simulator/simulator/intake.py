"""What happens to a submit: refused, or kept on its handset, answered and reported."""

import sys

from carillon.runtime.clock import Clock
from carillon.smpp import ServerSession, ShortMessage, Status, Tag
from carillon.smpp.message import check
from simulator.domain.admission import Admission
from simulator.domain.books import Books
from simulator.domain.fates import Outcome, Rule
from simulator.domain.handsets import NO_SAR, Received, Sar
from simulator.reporting import Reporting, wanted
from simulator.wheel import Wheel

_REFERENCE, _TOTAL, _PLACE = int(Tag.SAR_MSG_REF_NUM), int(Tag.SAR_TOTAL_SEGMENTS), int(Tag.SAR_SEGMENT_SEQNUM)
_THROTTLED = int(Status.THROTTLED)
_OTHER_BIND_S = 0.05  # so long the answer waits for a report that is to come first on another connection

Answer = tuple[ServerSession, int, int, str]
"""session, sequence, command_status, message id"""


class Intake:
    """Handles submit_sm and data_sm, one part at a time, without a task or timer of its own."""

    def __init__(self, books: Books, admission: Admission, reporting: Reporting, clock: Clock) -> None:
        self._books = books
        self._admission = admission
        self._reporting = reporting
        self._clock = clock
        self._later: Wheel[Answer] = Wheel(_answer_all)
        self._next_id = clock.now_ms() * 1000  # no id of an earlier run comes again
        self._next_answer_s = 0.0

    def on_data(self, session: ServerSession, sequence: int, message: ShortMessage) -> None:
        """A data_sm is a submit_sm whose addresses may be longer: not here."""
        check(message)
        self.on_submit(session, sequence, message)

    def on_submit(self, session: ServerSession, sequence: int, message: ShortMessage) -> None:
        """Take or refuse a message, or a part of one."""
        now_s = self._clock.monotonic_s()
        self._count(session, now_s)
        if self._admission.drops():
            self._books.counters.links_dropped += 1
            session.close("dropped on demand")
            return
        sar = _sar(message)
        key = hash((message.dest_addr, message.source_addr, message.user_data, sar))
        rule = self._admission.rule(message.dest_addr)
        status = self._admission.status(rule, key, now_s)
        if status:
            self._refuse(status)
            self._answer((session, sequence, status, ""), self._answer_delay_s(now_s))
            return
        if self._books.repeats.seen(key):
            self._books.counters.duplicates += 1
        self._take(session, sequence, message, rule, self._answer_delay_s(now_s))

    def flush(self) -> None:
        """Answer now what was to be answered later."""
        self._later.flush()

    def _count(self, session: ServerSession, now_s: float) -> None:
        counters = self._books.counters
        counters.submits += 1
        unanswered = session.unanswered
        if unanswered > counters.unanswered_max:
            counters.unanswered_max = unanswered
        self._books.peak.add(now_s)

    def _refuse(self, status: int) -> None:
        if status == _THROTTLED:
            self._books.counters.throttled += 1
        else:
            self._books.counters.refused += 1

    def _take(
        self, session: ServerSession, sequence: int, message: ShortMessage, rule: Rule, answer_delay_s: float
    ) -> None:
        faults = self._admission.faults
        report_first = rule.report_first or faults.report_first
        delay_s = 0.0 if report_first else answer_delay_s + faults.receipt_delay_s + rule.extra_delay_s
        received = self._keep(session, message, self._admission.outcome(rule), delay_s)
        reported = wanted(message.registered_delivery, received.outcome)
        if report_first and reported:
            self._reporting.now(received, rule, faults)
            if not session.can_receive:
                answer_delay_s += _OTHER_BIND_S
        if rule.answered:
            answer = f"{received.message_id:x}" if faults.hex_ids else str(received.message_id)
            self._answer((session, sequence, 0, answer), answer_delay_s)
        if reported and not report_first:
            self._reporting.plan(received, rule, faults, delay_s)

    def _keep(self, session: ServerSession, message: ShortMessage, outcome: Outcome, delay_s: float) -> Received:
        now_ms = self._clock.now_ms()
        self._next_id += 1
        received = Received(
            self._next_id,
            message.dest_addr,
            message.dest_ton,
            message.dest_npi,
            sys.intern(message.source_addr),
            message.source_ton,
            message.source_npi,
            session.system_id,
            message.user_data,
            message.data_coding,
            message.has_udh,
            now_ms,
            now_ms + int(delay_s * 1000),
            outcome,
            _sar(message),
        )
        self._books.counters.accepted += 1
        self._books.handsets.add(received)
        return received

    def _answer_delay_s(self, now_s: float) -> float:
        faults = self._admission.faults
        if not faults.slow:
            return faults.answer_delay_s
        self._next_answer_s = max(now_s, self._next_answer_s) + 1 / faults.slow
        return max(faults.answer_delay_s, self._next_answer_s - now_s)

    def _answer(self, answer: Answer, delay_s: float) -> None:
        if delay_s:
            self._later.add(delay_s, answer)
        else:
            session, sequence, status, message_id = answer
            session.answer_submit(sequence, status, message_id)


def _answer_all(answers: list[Answer]) -> None:
    for session, sequence, status, message_id in answers:
        session.answer_submit(sequence, status, message_id)


def _sar(message: ShortMessage) -> Sar:
    if not message.tlvs:
        return NO_SAR
    return (message.tlv_int(_REFERENCE) or 0, message.tlv_int(_TOTAL) or 0, message.tlv_int(_PLACE) or 0)
