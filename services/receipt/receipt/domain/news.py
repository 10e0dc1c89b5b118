"""One flush of the record queue: all that it says about one message is put together before anything is written."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from carillon.events.base import Record
from carillon.events.message import Accepted, Deferred, Refused, Submitted
from carillon.events.report import ReportReceived
from receipt.domain.milestones import Doubt, Milestones, Refusal, Submission, final_of


@dataclass(slots=True)
class News:
    """What one flush says about one message. `refs` are the operators' ids of its parts: `operator:ref` -> part."""

    id: int
    milestones: Milestones = field(default_factory=Milestones)
    accepted: Accepted | None = None
    refs: dict[str, int] = field(default_factory=dict)
    account: str | None = None
    number: str | None = None  # where an answer was lost: a report may have to find the message by its handset
    resent: bool = False  # a part of several may have more than one id


class Flush:
    """Everything that one batch of deliveries says. Reports wait in `reports` until their message is found."""

    def __init__(self) -> None:
        self.news: dict[int, News] = {}
        self.reports: list[ReportReceived] = []
        self._parts: dict[str, tuple[int, int]] = {}

    def take(self, records: Iterable[Record]) -> None:
        """Add records of any of the five events, in any order."""
        for record in records:
            if isinstance(record, Accepted):
                self._accepted(record)
            elif isinstance(record, Deferred):
                self._accepted(record.message)
                self._of(record.message.id).milestones.scheduled = record.send_at
            elif isinstance(record, Submitted):
                self._submitted(record)
            elif isinstance(record, ReportReceived):
                self.reports.append(record)
            elif isinstance(record, Refused):
                self._refused(record)

    def match(self) -> list[ReportReceived]:
        """Give each report whose message is known from this flush, or from its hint, to it; the rest is returned."""
        unknown: list[ReportReceived] = []
        for report in self.reports:
            if report.message_id is not None:
                self.report(report, report.message_id, report.part)
            elif (place := self._parts.get(ref_key(report.operator, report.ref))) is not None:
                self.report(report, *place)
            else:
                unknown.append(report)
        return unknown

    def report(self, report: ReportReceived, message_id: int, part: int) -> None:
        """A report on one part of a known message. One that is not final adds nothing."""
        final = final_of(report.state, report.at, report.error, report.operator)
        if final is not None:
            self._of(message_id).milestones.add_final(part, final)

    def _of(self, message_id: int) -> News:
        news = self.news.get(message_id)
        if news is None:
            news = self.news[message_id] = News(message_id)
        return news

    def _accepted(self, record: Accepted) -> None:
        news = self._of(record.id)
        news.accepted = record
        news.milestones.accepted = record.accepted_at

    def _submitted(self, record: Submitted) -> None:
        news = self._of(record.id)
        news.account = record.account
        if record.outcome == "ambiguous":
            news.milestones.add_doubt(record.part, Doubt(record.at, record.operator))
            news.number = record.number
            return
        news.milestones.add_submitted(record.part, Submission(record.at, record.operator, record.ref or ""))
        if record.ref:
            key = ref_key(record.operator, record.ref)
            news.refs[key] = record.part
            news.resent = news.resent or (record.attempt > 0 and record.parts > 1)
            self._parts[key] = (record.id, record.part)

    def _refused(self, record: Refused) -> None:
        news = self._of(record.id)
        news.account = record.account
        if record.code == "cancelled":
            known = news.milestones.cancelled
            news.milestones.cancelled = record.at if known is None else min(known, record.at)
        else:
            refusal = Refusal(record.at, record.code, record.detail or "", record.operator or "")
            news.milestones.add_refused(refusal)


def ref_key(operator: str, ref: str) -> str:
    """How an operator's id of a part is stored and looked up."""
    return f"{operator}:{ref}"
