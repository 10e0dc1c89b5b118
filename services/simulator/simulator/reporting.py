"""When reports are made: after their delay, as often as the rule and the faults say."""

from collections.abc import Mapping

from carillon.smpp import RegisteredDelivery
from simulator.domain.books import Books
from simulator.domain.fates import ENROUTE, Outcome, Rule
from simulator.domain.faults import Faults
from simulator.domain.handsets import Received
from simulator.domain.receipt_text import Report
from simulator.outbox import Outbox
from simulator.wheel import Wheel

_WANTED = int(RegisteredDelivery.RECEIPT_MASK)
_NEVER, _ON_FAILURE = 0, int(RegisteredDelivery.RECEIPT_ON_FAILURE)


class Reporting:
    """Holds reports until they are due, then hands them to the outbox of their system id."""

    def __init__(self, books: Books, outboxes: Mapping[str, Outbox]) -> None:
        self._books = books
        self._outboxes = outboxes
        self._wheel: Wheel[Report] = Wheel(self._send)

    def plan(self, received: Received, rule: Rule, faults: Faults, delay_s: float) -> None:
        """Report `received` after `delay_s`."""
        tlvs = not faults.no_tlvs
        if rule.intermediate:
            self._wheel.add(max(0.0, delay_s - rule.extra_delay_s), Report(received, ENROUTE, False, tlvs))
        for _ in range(_copies(rule, faults)):
            self._wheel.add(delay_s, Report(received, received.outcome, True, tlvs))

    def now(self, received: Received, rule: Rule, faults: Faults) -> None:
        """Report `received` before it is answered."""
        tlvs = not faults.no_tlvs
        self._send([Report(received, received.outcome, True, tlvs) for _ in range(_copies(rule, faults))])

    def clear(self) -> None:
        """Make none of those that are planned."""
        self._wheel.clear()

    def __len__(self) -> int:
        return len(self._wheel)

    def _send(self, reports: list[Report]) -> None:
        self._books.counters.receipts_made += len(reports)
        for report in reports:
            self._outboxes[report.received.system_id].put(report)
        for outbox in self._outboxes.values():
            outbox.pump()


def wanted(registered_delivery: int, outcome: Outcome) -> bool:
    """Whether the sender asked for this report (5.2.17): always, on failure, or on success (SMPP 5.0's 3)."""
    asked = registered_delivery & _WANTED
    if asked in (_NEVER, 1):
        return asked == 1
    return outcome.failed == (asked == _ON_FAILURE)


def _copies(rule: Rule, faults: Faults) -> int:
    return rule.reports * 2 if faults.duplicate_reports else rule.reports
