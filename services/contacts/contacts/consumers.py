"""What this service listens to."""

from carillon.bus import Handler, Subscription
from carillon.bus.topology import CONTACTS_AUDIENCE

_PAGES_AT_ONCE = 4


def subscriptions(answer_audience: Handler) -> list[Subscription]:
    """Requests of campaigns for a page; few at once, since each is answered with up to 500 recipients."""
    return [Subscription(CONTACTS_AUDIENCE, answer_audience, max_batch=1, prefetch=8, concurrency=_PAGES_AT_ONCE)]
