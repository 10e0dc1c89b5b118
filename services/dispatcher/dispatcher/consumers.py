"""What this service listens to. The queues of each operator are subscribed by its desk, while it holds a bind."""

from carillon.bus import Subscription
from carillon.bus.topology import dispatcher_route, dispatcher_submit
from carillon.events.base import LANES
from carillon.telemetry import names
from dispatcher.handlers import RouteMessages
from dispatcher.line import Line

_LINGER_S = 0.002
_SUBMIT_BATCH = 200
_SUBMIT_BATCHES_AT_ONCE = 6


def route_subscriptions(route: RouteMessages) -> list[Subscription]:
    """Accepted messages, one queue a lane."""
    return [
        Subscription(dispatcher_route(lane), route, names.MESSAGE_ROUTE, linger_s=_LINGER_S, prefetch=50)
        for lane in LANES
    ]


def submit_subscriptions(line: Line) -> list[Subscription]:
    """The two queues of one operator. Several batches are under way at once, so that the window never runs dry."""
    return [
        Subscription(
            dispatcher_submit(line.operator.name, lane),
            line.take,
            names.MESSAGE_SUBMIT,
            max_batch=_SUBMIT_BATCH,
            linger_s=_LINGER_S,
            prefetch=40,
            concurrency=_SUBMIT_BATCHES_AT_ONCE,
        )
        for lane in LANES
    ]
