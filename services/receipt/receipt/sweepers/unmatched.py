"""Tries reports again that matched no message: until the message is known, or seven days have passed.

Reports can come before the submit's answer, and can spell the operator's id in another way (SMPP.md, trap 5). After
some seconds a report may also belong to the one message whose submit was never answered. Several processes may sweep
at once: a report recorded twice is the same milestone, and a doubtful part takes only the first id that it is given.
"""

from carillon.events.report import ReportReceived
from carillon.mongo import Document
from carillon.runtime.clock import Clock
from carillon.sms.refs import forgiving_refs
from receipt.domain.milestones import Milestones, Submission
from receipt.domain.news import Flush, News, ref_key
from receipt.recorder import Recorder
from receipt.store import Stores
from receipt.store.histories import Place
from receipt.store.unmatched import report_of, unmatched_id

FIRST_PAUSE_MS = 1_000
_LONGEST_PAUSE_MS = 600_000
_DOUBT_AFTER_MS = 5_000
_KEPT_MS = 7 * 86_400_000
_BATCH = 500


class UnmatchedSweeper:
    """`sweep()` is one round; returns how many reports found their message."""

    def __init__(self, stores: Stores, recorder: Recorder, clock: Clock) -> None:
        self._unmatched = stores.unmatched
        self._additions = stores.additions
        self._histories = stores.histories
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
        waited = {document["_id"]: now_ms - document["first_at"] for document in documents}
        places = await self._histories.places(key for report in still_unknown for key in _forms(report))
        for report in still_unknown:
            key = unmatched_id(report)
            place = await self._forgiven(report, places) or await self._doubtful(report, waited[key])
            if place is None:
                unknown.add(key)
            else:
                flush.report(report, place.message, place.part)
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

    async def _forgiven(self, report: ReportReceived, places: dict[str, list[Place]]) -> Place | None:
        """The part that has this id in another spelling, of a message to the same handset."""
        found = {place for form in _forms(report) for place in places.get(form, ())}
        known = await self._histories.of({place.message for place in found})
        return await self._recorder.best_place(
            (place for place in found if place.message in known and known[place.message].facts.number == report.number),
            report,
        )

    async def _doubtful(self, report: ReportReceived, waited_ms: int) -> Place | None:
        """The one message to that handset whose submit to that operator was not answered; its part takes the id."""
        if waited_ms < _DOUBT_AFTER_MS:
            return None
        candidates: dict[int, list[int]] = {}
        for id_, known in (await self._histories.doubtful(report.number, report.at)).items():
            milestones = known.milestones
            parts = [
                part
                for part, doubt in sorted(milestones.doubts.items())
                if doubt.operator == report.operator
                and part not in milestones.submitted
                and part not in milestones.finals
            ]
            if parts:
                candidates[id_] = parts
        if len(candidates) != 1:
            return None
        [(message, parts)] = candidates.items()
        ref = ref_key(report.operator, report.ref)
        for part in parts:
            milestones = Milestones(submitted={part: Submission(report.at, report.operator, report.ref)})
            if await self._additions.give(News(message, milestones, refs={ref: part})):
                return Place(message, part)
        return None


def _forms(report: ReportReceived) -> list[str]:
    return [ref_key(report.operator, form) for form in forgiving_refs(report.ref)]


def _pause_ms(tries: int) -> int:
    """1, 2, 4 s ... 10 minutes."""
    return min(FIRST_PAUSE_MS << min(tries, 20), _LONGEST_PAUSE_MS)
