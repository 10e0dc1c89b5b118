"""What this service listens to."""

from carillon.bus import Handler, Subscription
from carillon.bus.topology import RECEIPT_INBOUND, receipt_callbacks, receipt_record
from carillon.events.base import LANES, MAX_RECORDS
from carillon.telemetry import names

# One flush merges what happens to a message within this time: accepted and submitted become one insert.
_RECORD_WAIT_S = 0.02
_CALLBACK_BATCHES_AT_ONCE = 4


def subscriptions(record: Handler, callbacks: Handler, inbound: Handler) -> list[Subscription]:
    """Two lanes of what happens to messages, two lanes of what clients are told, and inbound SMS."""
    return [
        *(
            Subscription(
                receipt_record(lane),
                record,
                span=names.STATUS_RECORD,
                max_batch=MAX_RECORDS,
                max_wait_s=_RECORD_WAIT_S,
                prefetch=200,
            )
            for lane in LANES
        ),
        *(
            Subscription(
                receipt_callbacks(lane),
                callbacks,
                span=names.CALLBACK_SEND,
                max_batch=MAX_RECORDS,
                prefetch=50,
                concurrency=_CALLBACK_BATCHES_AT_ONCE,
            )
            for lane in LANES
        ),
        Subscription(RECEIPT_INBOUND, inbound),
    ]
