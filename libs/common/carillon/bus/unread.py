"""What becomes of a delivery that this process can't read.

Its event is unknown: a newer version of the platform has said it, and while a release is under way newer processes
consume the same queue. So it goes to the retry queue and comes back, to whichever process is next, after 0.5 s, 1 s,
2 s and so on up to the queue's retry delay; no attempt is counted. After an hour nobody here will learn to read it (the
release was taken back, say): it is parked, and a later release replays it. Its body is broken: it is parked at once.
"""

import structlog
from aiormq.abc import DeliveredMessage

from carillon.bus.isolation import REASON, parked_headers
from carillon.bus.publisher import Outgoing
from carillon.bus.topology import RETRY_DELAY_S, UNKNOWN_PATIENCE_S, Queue
from carillon.events.codec import BadRecordError
from carillon.runtime.clock import SystemClock
from carillon.telemetry import metrics

log = structlog.get_logger(__name__)

UNKNOWN_SINCE = "x-carillon-unknown-since"  # milliseconds since 1970: when a process first could not read it
UNKNOWN_TIMES = "x-carillon-unknown-times"
_FIRST_WAIT_MS = 500

_clock = SystemClock()


class UnknownEventError(BadRecordError):
    """No event of this name is known here."""


def set_aside(queue: Queue, message: DeliveredMessage, error: BadRecordError) -> list[Outgoing]:
    """What to publish instead of it, before it is acknowledged. A transient queue keeps nothing: the list is empty."""
    properties = message.header.properties
    headers = dict(properties.headers or {})
    name = properties.message_type or ""
    if queue.transient:
        log.error("consumer.unreadable_dropped", queue=queue.name, event_name=name, reason=str(error))
        return []
    if isinstance(error, UnknownEventError):
        now_ms = _clock.now_ms()
        since_ms, times = _whole(headers.get(UNKNOWN_SINCE), now_ms), _whole(headers.get(UNKNOWN_TIMES), 0)
        if now_ms - since_ms < UNKNOWN_PATIENCE_S * 1000:
            if not times:
                log.warning("consumer.unknown_event_waits", queue=queue.name, event_name=name)
            metrics.record_retried(queue.name, 1)
            headers |= {UNKNOWN_SINCE: since_ms, UNKNOWN_TIMES: times + 1, REASON: str(error)[:500]}
            wait_ms = min(_FIRST_WAIT_MS << min(times, 10), RETRY_DELAY_S * 1000)
            return [Outgoing("", queue.retry, message.body, name, headers, expires_ms=wait_ms)]
    log.error("consumer.unreadable", queue=queue.name, event_name=name, reason=str(error))
    metrics.record_parked(queue.label, 1)
    return [Outgoing("", queue.parked, message.body, name, parked_headers(headers, str(error)))]


def _whole(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) else otherwise
