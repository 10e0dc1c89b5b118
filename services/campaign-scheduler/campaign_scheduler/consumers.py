"""What this service listens to."""

from typing import Final

from carillon.bus import Handler, Subscription
from carillon.bus.topology import CAMPAIGN_DEFERRED, CAMPAIGN_PAGES, CAMPAIGN_STATUS
from carillon.events.base import MAX_RECORDS
from carillon.telemetry import names

# Progress is shown each second: what comes within this time is one write a page.
_STATUS_WAIT_S: Final = 0.25
_STATUS_BATCH: Final = 8 * MAX_RECORDS


def subscriptions(pages: Handler, deferred: Handler, statuses: Handler) -> list[Subscription]:
    """Pages of audiences, single messages to be sent later, and what became of messages."""
    return [
        Subscription(CAMPAIGN_PAGES, pages, max_batch=MAX_RECORDS, prefetch=20),
        Subscription(CAMPAIGN_DEFERRED, deferred, max_batch=MAX_RECORDS),
        Subscription(
            CAMPAIGN_STATUS,
            statuses,
            span=names.CAMPAIGN_COUNT,
            max_batch=_STATUS_BATCH,
            max_wait_s=_STATUS_WAIT_S,
            prefetch=_STATUS_BATCH,
        ),
    ]
