"""What operators send: a report or an inbound SMS is acknowledged to the operator when it is durable, not before."""

from collections.abc import Callable

from carillon.events.catalogue import INBOUND_RECEIVED, REPORT_RECEIVED
from carillon.events.report import InboundReceived, ReportReceived
from carillon.runtime.committer import Done
from carillon.telemetry import metrics
from dispatcher.connectors.port import Acknowledge
from dispatcher.outbox import Outbox
from dispatcher.settlement import Recent


class OperatorInbox:
    """See `connectors.port.Inbox`."""

    def __init__(self, outbox: Outbox, recent: Recent, next_id: Callable[[], int]) -> None:
        self._outbox = outbox
        self._recent = recent
        self._next_id = next_id

    def report(self, report: ReportReceived, acknowledge: Acknowledge) -> None:
        """Say `report.received`, in the lane of its message where that is still remembered."""
        metrics.record_reports(report.operator, report.state)
        known = self._recent.find(f"{report.operator}:{report.ref}")
        if known is None:
            lane = None
        else:
            report.message_id, report.part, lane, report.trace = known
        self._outbox.say(REPORT_RECEIVED, lane or "bulk", report, _then(acknowledge))

    def inbound(self, inbound: InboundReceived, acknowledge: Acknowledge) -> None:
        """Say `inbound.received`. A redelivery by the operator gets another id: the listener joins on content."""
        metrics.record_inbound(inbound.operator)
        inbound.id = self._next_id()
        self._outbox.say(INBOUND_RECEIVED, None, inbound, _then(acknowledge))


def _then(acknowledge: Acknowledge) -> Done:
    return lambda error: acknowledge(error is None)
