"""Everything that the dispatcher says goes out through one group commit, in the order in which it happened.

So a report never overtakes the submit that it belongs to, and what operators and the queues send one by one becomes
a few large batches (rule R2).
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import structlog

from carillon.bus import Bus, BusDownError
from carillon.events.base import Lane, Record
from carillon.events.catalogue import Event
from carillon.runtime.committer import Committer, Done

log = structlog.get_logger(__name__)


class _Said(NamedTuple):
    event: Event
    lane: Lane | None
    place: str | None
    record: Record


class Outbox:
    """A part: says events durably. `stop` returns when everything said has been confirmed."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._committer: Committer[_Said] = Committer(self._commit, max_batch=500, max_waiting=1_000_000)

    async def start(self) -> None:
        """Nothing to begin."""

    async def stop(self) -> None:
        """Wait for the last batch."""
        await self._committer.drain()

    def say(self, event: Event, lane: Lane | None, record: Record, done: Done, place: str | None = None) -> None:
        """Call `done(None)` when the broker has confirmed the event."""
        self._committer.add_then(_Said(event, lane, place, record), done)

    async def _commit(self, batch: Sequence[_Said]) -> None:
        groups: dict[tuple[str, Lane | None, str | None], tuple[Event, list[Record]]] = {}
        for said in batch:
            key = (said.event.name, said.lane, said.place)
            group = groups.get(key)
            if group is None:
                groups[key] = (said.event, [said.record])
            else:
                group[1].append(said.record)
        # started in order on one channel: submits before the reports that follow them
        await asyncio.gather(
            *(self._publish(event, records, lane, place) for (_, lane, place), (event, records) in groups.items())
        )

    async def _publish(self, event: Event, records: list[Record], lane: Lane | None, place: str | None) -> None:
        """However long the broker is away: what an operator has answered is nowhere else."""
        while True:
            try:
                await self._bus.publish(event, records, lane=lane, place=place)
            except BusDownError as error:
                log.warning("outbox.waits", event_name=event.name, records=len(records), error=str(error))
            else:
                return
