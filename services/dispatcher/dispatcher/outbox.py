"""Everything that the dispatcher says goes out through one group commit, in the order in which it happened.

So a report never overtakes the submit that it belongs to, and what operators and the queues send one by one becomes
a few large batches (rule R2).
"""

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple

import structlog

from carillon.bus import Bus, BusDownError
from carillon.events.base import Lane, Record
from carillon.events.catalogue import REPORT_RECEIVED, Event
from carillon.runtime.committer import Committer, Done
from carillon.telemetry import metrics, names, traces

_NAME = "dispatcher.outbox"

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
        """Nothing to begin, but to be seen."""
        metrics.watch_committer(_NAME, self._waiting)

    async def stop(self) -> None:
        """Wait for the last batch."""
        await self._committer.drain()
        metrics.forget_committer(_NAME)

    def say(self, event: Event, lane: Lane | None, record: Record, done: Done, place: str | None = None) -> None:
        """Call `done(None)` when the broker has confirmed the event."""
        self._committer.add_then(_Said(event, lane, place, record), done)

    def _waiting(self) -> int:
        return self._committer.waiting

    async def _commit(self, batch: Sequence[_Said]) -> None:
        began_s = time.monotonic()
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
        metrics.record_commit(_NAME, len(batch), time.monotonic() - began_s)

    async def _publish(self, event: Event, records: list[Record], lane: Lane | None, place: str | None) -> None:
        """However long the broker is away: what an operator has answered is nowhere else."""
        with traces.span(
            names.REPORT_RECEIVE if event is REPORT_RECEIVED else names.MESSAGE_SETTLE,
            links=(getattr(record, "trace", None) for record in records),
            attributes={names.EVENT: event.name},
            kind="producer",
        ):
            while True:
                try:
                    await self._bus.publish(event, records, lane=lane, place=place)
                except BusDownError as error:
                    log.warning("outbox.waits", event_name=event.name, records=len(records), error=str(error))
                else:
                    return
