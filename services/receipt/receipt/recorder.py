"""Turns a flush into documents and status changes.

Order: write, then say, then the caller acknowledges. Whoever is interrupted in between is run again, and says what
it may not have said: a milestone that the database knows already, and that equals ours, counts as new (`without`).
"""

from collections.abc import Mapping

from carillon.events.report import ReportReceived
from carillon.mongo import Document
from receipt.announcer import Announcer, Said
from receipt.domain.changes import changes
from receipt.domain.milestones import Milestones, merge, without
from receipt.domain.news import Flush, News, ref_key
from receipt.store.message_documents import facts_of, milestones_of, part_of
from receipt.store.messages import MessageStore

_NOTHING = Milestones()


class Recorder:
    """Used by the record queue and by the sweeper of unmatched reports."""

    def __init__(self, messages: MessageStore, announcer: Announcer) -> None:
        self._messages = messages
        self._announcer = announcer

    async def record(self, flush: Flush) -> list[ReportReceived]:
        """Write a flush and say what follows from it; the reports whose message is not known are returned."""
        known, unmatched = await self._match(flush)
        news = flush.news.values()
        said = await self._insert([item for item in news if item.accepted is not None and item.id not in known], known)
        said += await self._merge([item for item in news if item.accepted is None or item.id in known], known)
        await self._announcer.say(said)
        return unmatched

    async def _match(self, flush: Flush) -> tuple[dict[int, Document], list[ReportReceived]]:
        """Give reports to their messages: by this flush, by hint, or by the operator's id in the database."""
        reports = flush.match()
        if not reports:
            return {}, []
        found = await self._messages.by_refs({ref_key(report.operator, report.ref) for report in reports})
        by_ref: dict[str, list[Document]] = {}
        for document in found.values():
            for ref in document["refs"]:
                by_ref.setdefault(ref, []).append(document)
        unmatched: list[ReportReceived] = []
        for report in reports:
            ref = ref_key(report.operator, report.ref)
            candidates = by_ref.get(ref)
            if candidates:
                document = best_of(candidates, report)
                flush.report(report, document["_id"], part_of(document, ref))
            else:
                unmatched.append(report)
        return {id_: found[id_] for id_ in flush.news.keys() & found.keys()}, unmatched

    async def _insert(self, news: list[News], known: dict[int, Document]) -> list[Said]:
        """Messages that are new, in one insert. Those that turn out not to be are added to `known`."""
        if not news:
            return []
        documents, existed = await self._messages.insert(news)
        if existed:
            known.update(await self._messages.by_ids(existed))
        said: list[Said] = []
        for item, document in zip(news, documents, strict=True):
            if item.id not in existed:
                said += _said(document, _NOTHING, item.milestones)
        return said

    async def _merge(self, news: list[News], known: dict[int, Document]) -> list[Said]:
        """Messages that are there already, or whose acceptance is still to come."""
        if not news:
            return []
        unread = [item.id for item in news if item.id not in known]
        known = {**known, **await self._messages.by_ids(unread)}
        await self._messages.merge(news)
        # what another process writes at the same moment shows only after our own write; a message of one part
        # that was there already needs no second look, since each of its milestones entails a status by itself
        again = [item.id for item in news if (document := known.get(item.id)) is None or document.get("parts", 2) > 1]
        fresh: Mapping[int, Document] = await self._messages.by_ids(again)
        said: list[Said] = []
        for item in news:
            before = milestones_of(known[item.id]) if item.id in known else _NOTHING
            document = fresh.get(item.id) or known[item.id]
            after = merge(milestones_of(document), item.milestones)
            if after.accepted is not None:
                said += _said(document, without(before, item.milestones), after)
        return said


def best_of(candidates: list[Document], report: ReportReceived) -> Document:
    """Operators use their ids again: the right handset first, then the newest message that has no word yet."""
    return max(
        candidates,
        key=lambda document: (
            document.get("number") == report.number,
            "finals" not in document,
            document["_id"],
        ),
    )


def _said(document: Document, before: Milestones, after: Milestones) -> list[Said]:
    country = document["country"]
    return [(change, country) for change in changes(facts_of(document), before, after)]
