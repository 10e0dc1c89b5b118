"""Counts marked hours again, from the messages themselves: the same code as the API's says where each stands.

One process counts at a time (a lease). The more there is to count, the longer the pauses: counting takes a quarter of
a process's time at most, and an hour whose counting took t seconds is not counted again within 10 t.
"""

import asyncio
import time

from carillon.mongo.leases import Lease, Leases
from carillon.runtime.ids import first_id_at
from receipt.domain.tallies import HOUR_MS, Tallies, bounded, count
from receipt.store import Stores
from receipt.store.additions import add_to
from receipt.store.message_documents import milestones_of, tally_facts_of
from receipt.store.stats import Hour

_BATCH = 1_000
_PAUSE = 3.0  # times what a batch took
_REST = 10.0  # times what an hour took
_LEAST_REST_S = 1.0


class LeaseLostError(Exception):
    """Another process counts now."""


class StatsSweeper:
    """`sweep()` is one round over all marked hours."""

    def __init__(self, stores: Stores, leases: Leases) -> None:
        self._messages = stores.messages
        self._additions = stores.additions
        self._stats = stores.stats
        self._leases = leases
        self._lease: Lease | None = None
        self._not_before_s: dict[Hour, float] = {}

    async def sweep(self) -> int:
        """How many hours were counted; 0 as well where another process holds the lease."""
        if self._lease is None or not await self._leases.renew(self._lease):
            self._lease = await self._leases.acquire("stats")
        if self._lease is None:
            return 0
        now_s = time.monotonic()
        self._not_before_s = {hour: until_s for hour, until_s in self._not_before_s.items() if until_s > now_s}
        counted = 0
        for hour in await self._stats.marked():
            if hour not in self._not_before_s:
                began_s = time.monotonic()
                try:
                    await self._count_again(hour, self._lease)
                except LeaseLostError:
                    self._lease = None
                    return counted
                counted += 1
                ended_s = time.monotonic()
                self._not_before_s[hour] = ended_s + max(_LEAST_REST_S, (ended_s - began_s) * _REST)
        return counted

    async def _count_again(self, hour: Hour, lease: Lease) -> None:
        marks = await self._stats.marks_of(hour)
        tallies: Tallies = {}
        after, last = first_id_at(hour.hour * HOUR_MS) - 1, first_id_at((hour.hour + 1) * HOUR_MS) - 1
        while True:
            began_s = time.monotonic()
            documents = await self._messages.countable(hour.account, after, last, _BATCH)
            milestones = {int(document["_id"]): milestones_of(document) for document in documents}
            for addition in await self._additions.of(milestones) if milestones else ():
                add_to(milestones[addition["message"]], addition)
            for document in documents:
                count(tallies, tally_facts_of(document), milestones[document["_id"]])
            if len(documents) < _BATCH:
                break
            after = int(documents[-1]["_id"])
            if not await self._leases.renew(lease):
                raise LeaseLostError
            await asyncio.sleep((time.monotonic() - began_s) * _PAUSE)
        # no messages: retention has deleted them, and what was counted stays
        if not tallies or await self._stats.keep(hour, bounded(tallies), lease.token):
            await self._stats.delete_marks(marks)
