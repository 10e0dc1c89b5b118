"""When a batch fails: its records are handled one by one, so that only what is bad waits or is parked."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import structlog

from carillon.bus.port import Defer, Delivery, Reject, Subscription
from carillon.bus.publisher import Outgoing
from carillon.bus.topology import MAX_ATTEMPTS, Queue
from carillon.events.base import Record
from carillon.events.codec import encode
from carillon.runtime.clock import SystemClock
from carillon.telemetry import metrics

log = structlog.get_logger(__name__)

ATTEMPTS = "x-carillon-attempts"
REASON = "x-carillon-reason"
PARKED_AT = "x-carillon-parked-at"  # milliseconds since 1970

_clock = SystemClock()


class Publishes(Protocol):
    """Where the bad records are put."""

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Return when they are confirmed."""
        ...


async def handle_isolated(
    subscription: Subscription,
    deliveries: Sequence[Delivery],
    publisher: Publishes,
    temporary: tuple[type[Exception], ...],
) -> None:
    """Handle each record alone; those that fail are deferred or parked before this returns.

    A temporary error (a server is away) is nobody's fault and is raised: the whole batch is tried again.

    Handlers are idempotent, so what the failed batch had already done is done again without harm.
    """
    for delivery in deliveries:
        if len(delivery.records) > 1 and await _succeeds(subscription, delivery, temporary):
            continue
        for record in delivery.records:
            alone = Delivery(delivery.event, [record], delivery.headers, delivery.redelivered)
            try:
                await subscription.handler([alone])
            except temporary:
                raise
            except Reject as error:
                await publisher.publish([_parked(subscription.queue, alone, record, str(error))])
            except Defer as error:
                await publisher.publish([_deferred(subscription.queue, alone, record, str(error))])
            except Exception as error:  # noqa: BLE001  whatever it is, it is written on the record
                log.warning("consumer.record_failed", queue=subscription.queue.name, error=repr(error))
                await publisher.publish([_deferred(subscription.queue, alone, record, repr(error))])


async def _succeeds(subscription: Subscription, delivery: Delivery, temporary: tuple[type[Exception], ...]) -> bool:
    try:
        await subscription.handler([delivery])
    except temporary:
        raise
    except Exception:  # noqa: BLE001  its records are looked at one by one
        return False
    return True


def _deferred(queue: Queue, delivery: Delivery, record: Record, reason: str) -> Outgoing:
    attempts = int(delivery.headers.get(ATTEMPTS, 0)) + 1
    if attempts >= MAX_ATTEMPTS:
        return _parked(queue, delivery, record, f"{reason} (after {attempts} attempts)")
    metrics.record_retried(queue.label, 1)
    headers = {**delivery.headers, ATTEMPTS: attempts, REASON: reason[:500]}
    return Outgoing("", queue.retry, encode([record]), delivery.event.name, headers)


def _parked(queue: Queue, delivery: Delivery, record: Record, reason: str) -> Outgoing:
    log.error("consumer.parked", queue=queue.name, event_name=delivery.event.name, reason=reason)
    metrics.record_parked(queue.label, 1)
    return Outgoing("", queue.parked, encode([record]), delivery.event.name, parked_headers(delivery.headers, reason))


def parked_headers(headers: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """The headers of what is parked: those that it had, why, and since when."""
    return {**headers, REASON: reason[:500], PARKED_AT: _clock.now_ms()}
