"""What happens to suppressions: a change, what a crash left to be said, a request for copies.

A change is durable with its events in one update (rule R3). Then, in this order: dispatchers are told, the consent log
gets its entry, what an erasure takes away is taken away, and the events are no longer pending. Each of these may be
done again: copies go by versions, the log by ids.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import structlog

from carillon.bus import Bus, Delivery
from carillon.events.audience import SuppressionCopyRequested, SuppressionsCopied
from carillon.events.base import Record
from carillon.events.catalogue import CONTACT_COPIED, CONTACT_OPTED_IN, CONTACT_OPTED_OUT
from carillon.mongo import TEMPORARY_ERRORS
from carillon.runtime.clock import Clock
from contacts.consent.entry import Entry
from contacts.consent.log import ConsentLog
from contacts.suppressions.domain import Change, Suppression
from contacts.suppressions.store import SuppressionStore

log = structlog.get_logger(__name__)

_LEFT_BEHIND_MS = 2_000  # younger ones are being said just now


class Forgets(Protocol):
    """A room that knows something of people."""

    async def forget(self, account: str, number: str) -> None:
        """Take away whatever is known of this number."""
        ...


class SayChanges:
    """Says what was stored. Used by the one who changed it and, after a crash, by the sweeper."""

    def __init__(self, store: SuppressionStore, consents: ConsentLog, rooms: Sequence[Forgets], bus: Bus) -> None:
        self._store = store
        self._consents = consents
        self._rooms = rooms
        self._bus = bus

    async def say(self, changed: Sequence[Suppression]) -> None:
        """Return when everybody knows."""
        await publish(self._bus, changed)
        await self._consents.append([entry for each in changed for entry in _entries_of(each)])
        for each in changed:
            for pending in each.pending:
                if pending.what == "erased" and pending.number is not None:
                    for room in self._rooms:
                        await room.forget(each.account, pending.number)
                    await self._consents.redact(each.account, each.hash)
        await self._store.said(changed)


class ChangeSuppressions:
    """Makes changes durable and says them. Any number of processes may do so at once."""

    def __init__(self, store: SuppressionStore, say: SayChanges, clock: Clock, *, say_timeout_s: float = 5.0) -> None:
        self._store = store
        self._say = say
        self._clock = clock
        self._say_timeout_s = say_timeout_s

    async def apply(self, changes: Sequence[Change]) -> list[Suppression]:
        """Those whose state has changed by it. If they can't be said in time, the sweeper says them later."""
        changed = await self._store.apply(changes, self._clock.now_ms())
        try:
            async with asyncio.timeout(self._say_timeout_s):
                await self._say.say(changed)
        except TEMPORARY_ERRORS as error:
            log.warning("suppressions.said_later", count=len(changed), error=repr(error))
        return changed


class SayPending:
    """Says what was stored and not said, because a process died or a server was away in between."""

    def __init__(self, store: SuppressionStore, say: SayChanges, clock: Clock) -> None:
        self._store = store
        self._say = say
        self._clock = clock

    async def sweep(self) -> None:
        """Say every change that is older than two seconds."""
        async for batch in self._store.unsaid(self._clock.now_ms() - _LEFT_BEHIND_MS):
            await self._say.say(batch)
            log.info("suppressions.pending_said", count=len(batch))


class SayCopies:
    """Answers `contact.copy_requested`: what has changed since the oldest of the requests that came together."""

    def __init__(self, store: SuppressionStore, bus: Bus, clock: Clock) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock

    async def __call__(self, deliveries: Sequence[Delivery]) -> None:
        """Said to everybody; the last event names the requests, and until when the copies are whole."""
        asked = [each for delivery in deliveries for each in delivery.records]
        requests = [each for each in asked if isinstance(each, SuppressionCopyRequested)]
        if not requests:
            return
        through = self._clock.now_ms()
        count = 0
        async for batch in self._store.changed_since(min(request.since for request in requests)):
            await publish(self._bus, batch)
            count += len(batch)
        copied = SuppressionsCopied(requests=[request.request for request in requests], through=through)
        await self._bus.publish(CONTACT_COPIED, [copied])
        log.info("suppressions.copied", count=count, requests=len(requests))


async def publish(bus: Bus, suppressions: Sequence[Suppression]) -> None:
    """Opt-outs first: they are the more urgent."""
    out: list[Record] = [each.as_event() for each in suppressions if each.active]
    back: list[Record] = [each.as_event() for each in suppressions if not each.active]
    if out:
        await bus.publish(CONTACT_OPTED_OUT, out)
    if back:
        await bus.publish(CONTACT_OPTED_IN, back)


def _entries_of(suppression: Suppression) -> list[Entry]:
    return [
        Entry(
            id=pending.id,
            account=suppression.account,
            number=suppression.number,
            number_hash=suppression.hash,
            what=pending.what,
            reason=pending.reason,
            source=pending.source,
            evidence=pending.evidence or None,
            at=pending.at,
        )
        for pending in suppression.pending
    ]
