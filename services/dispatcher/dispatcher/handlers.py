"""What the dispatcher does when something happens: an accepted message gets its route."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from carillon.bus import Bus, Delivery
from carillon.events.base import Lane, Record
from carillon.events.catalogue import MESSAGE_REFUSED, MESSAGE_ROUTED, Event
from carillon.events.message import Accepted, Refused, Routed
from carillon.runtime.clock import Clock
from carillon.telemetry import metrics


class RouteMessages:
    """`message.accepted` -> `message.routed` in the queue of the chosen operator, or `message.refused`.

    Handled again it says the same again: the choice depends on the message alone, and the journal of the operator's
    line keeps a message that was routed twice from being sent twice.
    """

    def __init__(self, operators_for: Callable[[Accepted], list[str]], bus: Bus, clock: Clock) -> None:
        self._operators_for = operators_for
        self._bus = bus
        self._clock = clock

    async def __call__(self, deliveries: Sequence[Delivery]) -> None:
        """Route all, and return when all is confirmed."""
        out: dict[tuple[Event, Lane, str | None], list[Record]] = defaultdict(list)
        for delivery in deliveries:
            for message in delivery.records:
                assert isinstance(message, Accepted)
                operators = self._operators_for(message)
                if operators:
                    routed = Routed(message=message, operators=operators)
                    out[MESSAGE_ROUTED, message.lane, operators[0]].append(routed)
                else:
                    out[MESSAGE_REFUSED, message.lane, None].append(self._no_route(message))
        for (event, lane, place), records in out.items():
            await self._bus.publish(event, records, lane=lane, place=place)

    def _no_route(self, message: Accepted) -> Refused:
        metrics.record_refused("no_route")
        return Refused(
            id=message.id, account=message.account, code="no_route", at=self._clock.now_ms(), trace=message.trace
        )
