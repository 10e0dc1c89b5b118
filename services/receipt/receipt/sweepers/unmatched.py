"""Tries reports again that matched no message: until the message is known, or seven days have passed.

Reports can come before the submit's answer, and can spell the operator's id in another way (SMPP.md, trap 5). After
some seconds a report may also belong to the one message whose submit was never answered. Several processes may sweep
at once: a report recorded twice is the same milestone, and an id is given to a doubtful part by a guarded update.
"""

from carillon.events.report import ReportReceived
from carillon.mongo import Document
from carillon.runtime.clock import Clock
from carillon.sms.refs import forgiving_refs
from receipt.domain.milestones import Submission
from receipt.domain.news import Flush, ref_key
from receipt.recorder import Recorder, best_of
from receipt.store.message_documents import milestones_of, part_of
from receipt.store.messages import MessageStore
from receipt.store.unmatched import UnmatchedStore, report_of

FIRST_PAUSE_MS = 1_000
_LONGEST_PAUSE_MS = 600_000
_DOUBT_AFTER_MS = 5_000
_KEPT_MS = 7 * 86_400_000
_BATCH = 500


class UnmatchedSweeper:
    """`sweep()` is one round; returns how many reports found their message."""

    def __init__(self, unmatched: UnmatchedStore, messages: MessageStore, recorder: Recorder, clock: Clock) -> None:
        self._unmatched = unmatched
        self._messages = messages
        self._recorder = recorder
        self._clock = clock

    async def sweep(self) -> int:
        """Try everything that is due."""
        matched = 0
        while documents := await self._unmatched.due(self._clock.now_ms(), _BATCH):
            matched += await self._try(documents)
            if len(documents) < _BATCH:
                break
        return matched

    async def _try(self, documents: list[Document]) -> int:
        now_ms = self._clock.now_ms()
        flush = Flush()
        flush.take([report_of(document) for document in documents])
        still_unknown = await self._recorder.record(flush)
        flush = Flush()
        unknown: set[str] = set()
        forms = await self._messages.by_refs({key for report in still_unknown for key in _forms(report)})
        waited = {document["_id"]: now_ms - document["first_at"] for document in documents}
        for report in still_unknown:
            key = f"{report.operator}:{report.ref}:{report.state}"
            found = _forgiven(report, forms) or await self._doubtful(report, waited[key])
            if found is None:
                unknown.add(key)
            else:
                flush.report(report, *found)
        await self._recorder.record(flush)
        await self._settle(documents, unknown, now_ms)
        return len(documents) - len(unknown)

    async def _settle(self, documents: list[Document], unknown: set[str], now_ms: int) -> None:
        """What was recorded, or is too old, goes; the rest comes back after a growing pause."""
        kept = [
            document
            for document in documents
            if document["_id"] in unknown and now_ms - document["first_at"] < _KEPT_MS
        ]
        kept_ids = {document["_id"] for document in kept}
        await self._unmatched.later([(document, now_ms + _pause_ms(document["tries"] + 1)) for document in kept])
        await self._unmatched.delete([document for document in documents if document["_id"] not in kept_ids])

    async def _doubtful(self, report: ReportReceived, waited_ms: int) -> tuple[int, int] | None:
        """The one message to that handset whose submit to that operator was not answered; its part takes the id."""
        if waited_ms < _DOUBT_AFTER_MS:
            return None
        candidates: dict[int, list[int]] = {}
        for document in await self._messages.doubtful(report.number, report.at):
            milestones = milestones_of(document)
            parts = [
                part
                for part, doubt in sorted(milestones.doubts.items())
                if doubt.operator == report.operator
                and part not in milestones.submitted
                and part not in milestones.finals
            ]
            if parts:
                candidates[document["_id"]] = parts
        if len(candidates) != 1:
            return None
        [(message_id, parts)] = candidates.items()
        submission = Submission(report.at, report.operator, report.ref)
        for part in parts:
            if await self._messages.adopt(message_id, part, submission, ref_key(report.operator, report.ref)):
                return message_id, part
        return None


def _forms(report: ReportReceived) -> list[str]:
    return [ref_key(report.operator, form) for form in forgiving_refs(report.ref)]


def _forgiven(report: ReportReceived, found: dict[int, Document]) -> tuple[int, int] | None:
    """The message that has this id in another spelling, and the same handset."""
    forms = set(_forms(report))
    candidates = [
        document
        for document in found.values()
        if document.get("number") == report.number and not forms.isdisjoint(document["refs"])
    ]
    if not candidates:
        return None
    document = best_of(candidates, report)
    ref = next(ref for ref in document["refs"] if ref in forms)
    return document["_id"], part_of(document, ref)


def _pause_ms(tries: int) -> int:
    """1, 2, 4 s ... 10 minutes."""
    return min(FIRST_PAUSE_MS << min(tries, 20), _LONGEST_PAUSE_MS)
