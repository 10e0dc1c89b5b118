"""Says status changes: to whoever acts on them (`message.status`), then to whoever studies them (the stream).

What tells that a number does not exist is said apart (`message.bounced`), for those who keep numbers.
"""

from collections.abc import Sequence

from carillon.bus import Bus
from carillon.bus.topology import RECEIPT_STREAM
from carillon.events.base import LANES, MAX_RECORDS
from carillon.events.catalogue import MESSAGE_BOUNCED, MESSAGE_STATUS
from carillon.events.message import Status, StatusChanged
from carillon.events.stream import CONTENT_TYPE
from carillon.runtime.clock import Clock
from carillon.telemetry import metrics
from receipt.domain.bounces import bounces_of
from receipt.domain.stream import ShowNumber, cloud_event, no_number

Said = tuple[StatusChanged, str]  # a change, and the country of its number


class Announcer:
    """Returns when everything is confirmed. Saying the same again is harmless: same message, same status."""

    def __init__(self, bus: Bus, clock: Clock, show_number: ShowNumber = no_number) -> None:
        """`show_number` says what the stream shows of a number."""
        self._bus = bus
        self._clock = clock
        self._show_number = show_number

    async def say(self, said: Sequence[Said]) -> None:
        """Publish in the lane of each message, then append to the stream."""
        if not said:
            return
        for lane in LANES:
            records = [change for change, _ in said if change.lane == lane]
            if records:
                await self._bus.publish(MESSAGE_STATUS, records, lane=lane)
        bounces = bounces_of(change for change, _ in said)
        if bounces:
            await self._bus.publish(MESSAGE_BOUNCED, bounces)
        now_ms = self._clock.now_ms()
        bodies = [
            cloud_event(said[at : at + MAX_RECORDS], now_ms, self._show_number)
            for at in range(0, len(said), MAX_RECORDS)
        ]
        await self._bus.append(RECEIPT_STREAM, bodies, content_type=CONTENT_TYPE)
        _measure(said)


def _measure(said: Sequence[Said]) -> None:
    """Counts by status and operator; for urgent messages, how long after their acceptance it happened."""
    counts: dict[tuple[Status, str | None], int] = {}
    urgent_s: dict[Status, list[float]] = {"submitted": [], "delivered": []}
    for change, _ in said:
        status = change.status
        key = status, change.operator
        counts[key] = counts.get(key, 0) + 1
        if status in urgent_s and change.lane == "urgent":
            urgent_s[status].append((change.at - change.accepted_at) / 1000)
    for (status, operator), count in counts.items():
        metrics.record_receipts(status, operator or "none", count)
    for status, seconds in urgent_s.items():
        if seconds:
            metrics.record_urgent(status, seconds)
