"""Turns a flush into documents and status changes.

Order: write, read what there is now, say, and then the caller acknowledges. What is said is what our own news entails
and the rest would not (`without`). So whoever was interrupted is run again and says what it may not have said; and of
two processes that write at the same moment, at least the one that reads last sees both and says what follows.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from carillon.events.message import Status
from carillon.events.report import ReportReceived
from receipt.announcer import Announcer, Said
from receipt.domain.changes import changes
from receipt.domain.milestones import absorb, went_wrong, without
from receipt.domain.news import Flush, News, ref_key
from receipt.domain.status import chain_of
from receipt.recent import Recent
from receipt.store import Stores
from receipt.store.additions import add_to
from receipt.store.histories import Known, Place, known_of
from receipt.store.message_documents import milestones_of
from receipt.store.stats import Hour, hour_of


class _Outcome(NamedTuple):
    """What a flush has come to for one message."""

    known: Known
    before: tuple[Status, ...]
    news: News


class Recorder:
    """Used by the record queue and by the sweepers."""

    def __init__(self, stores: Stores, announcer: Announcer) -> None:
        self._messages = stores.messages
        self._additions = stores.additions
        self._histories = stores.histories
        self._stats = stores.stats
        self._announcer = announcer
        self._recent = Recent()

    async def record(self, flush: Flush) -> list[ReportReceived]:
        """Write a flush and say what follows from it; the reports whose message is not known are returned."""
        unmatched = await self._match(flush)
        new: list[News] = []
        later: list[News] = []
        for item in flush.news.values():
            (later if item.accepted is None else new).append(item)
        outcomes, existed = await self._insert(new)
        outcomes += await self._add(later, existed)
        said: list[Said] = []
        for known, before, _ in outcomes:
            said += [(change, known.country) for change in changes(known.facts, before, known.milestones)]
        touched = {Hour(known.facts.account, hour_of(known.facts.id)) for known, _, _ in outcomes}
        await asyncio.gather(self._announcer.say(said), self._stats.mark(touched))
        for known, _, item in outcomes:
            self._recent.remember(known, item.refs)
        return unmatched

    async def _match(self, flush: Flush) -> list[ReportReceived]:
        """Give reports to their messages: by this flush, by hint, from memory, by the operator's id in the database."""
        unknown: list[ReportReceived] = []
        for report in flush.match():
            place = self._recent.place(ref_key(report.operator, report.ref))
            if place is None:
                unknown.append(report)
            else:
                flush.report(report, place.message, place.part)
        places = await self._histories.places(ref_key(report.operator, report.ref) for report in unknown)
        unmatched: list[ReportReceived] = []
        for report in unknown:
            place = await self.best_place(places.get(ref_key(report.operator, report.ref), ()), report)
            if place is None:
                unmatched.append(report)
            else:
                flush.report(report, place.message, place.part)
        return unmatched

    async def best_place(self, places: Iterable[Place], report: ReportReceived) -> Place | None:
        """Operators use their ids again: the right handset first, then the newest message without a final word."""
        candidates = list(places)
        if len(candidates) < 2:
            return candidates[0] if candidates else None
        known = await self._histories.of(place.message for place in candidates)

        def fitness(place: Place) -> tuple[bool, bool, int]:
            message = known.get(place.message)
            if message is None:
                return False, True, place.message
            is_open = place.part not in message.milestones.finals
            return message.facts.number == report.number, is_open, place.message

        return max(candidates, key=fitness)

    async def _insert(self, news: list[News]) -> tuple[list[_Outcome], list[News]]:
        """Messages that are new, in one insert; those that were there already come back as news to be added."""
        if not news:
            return [], []
        documents, existed_ids = await self._messages.insert(news)
        outcomes: list[_Outcome] = []
        existed: list[News] = []
        for item, document in zip(news, documents, strict=True):
            if item.id in existed_ids:
                existed.append(item)
            else:
                outcomes.append(_Outcome(known_of(document, item.milestones), (), item))
        await self._take_earlier_additions(outcomes)
        return outcomes, existed

    async def _take_earlier_additions(self, outcomes: list[_Outcome]) -> None:
        """Reports and answers can come before the acceptance: they wait as additions."""
        inserted = {item.id: known for known, _, item in outcomes}
        earlier = await self._additions.of(inserted) if inserted else []
        for addition in earlier:
            add_to(inserted[addition["message"]].milestones, addition)
        await self._name_accounts([inserted[id_] for id_ in {int(addition["message"]) for addition in earlier}])

    async def _add(self, news: list[News], existed: list[News]) -> list[_Outcome]:
        """What is learnt of messages that are there already, or whose acceptance is still to come.

        `existed` were accepted again: of them, only what their documents do not hold is written.
        """
        if not news and not existed:
            return []
        recent = {item.id: known for item in news if (known := self._recent.known_for(item)) is not None}
        for item in news:
            if item.id in recent:
                item.account = recent[item.id].facts.account
        touched = await self._additions.add([*news, *await self._less(existed)])
        for id_ in touched:
            recent.pop(id_, None)  # somebody else has written of it: look
        read = await self._histories.of(item.id for item in (*news, *existed) if item.id not in recent)
        outcomes: list[_Outcome] = []
        for item in (*news, *existed):
            if item.id in recent:
                known = recent[item.id]
                before = chain_of(known.milestones, known.facts.parts)
                absorb(known.milestones, item.milestones)
                outcomes.append(_Outcome(known, before, item))
            elif item.id in read:
                known = read[item.id]
                before = chain_of(without(known.milestones, item.milestones), known.facts.parts)
                outcomes.append(_Outcome(known, before, item))
        await self._name_accounts(
            [known for known, _, item in outcomes if item.account is None and went_wrong(item.milestones)]
        )
        return outcomes

    async def _less(self, existed: list[News]) -> list[News]:
        documents = await self._messages.by_ids(item.id for item in existed) if existed else {}
        return [
            replace(item, milestones=without(item.milestones, milestones_of(documents[item.id])))
            for item in existed
            if item.id in documents
        ]

    async def _name_accounts(self, messages: list[Known]) -> None:
        """Failures are listed by account; a report does not say whose message it is about."""
        by_account: dict[str, list[int]] = {}
        for known in messages:
            by_account.setdefault(known.facts.account, []).append(known.facts.id)
        for account, ids in by_account.items():
            await self._additions.name_account(ids, account)
