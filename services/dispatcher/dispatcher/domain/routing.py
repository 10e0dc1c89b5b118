"""Chooses operators for a message: longest prefix, then the file's order; by weight, the others as failover."""

from collections.abc import Sequence

from carillon.events.message import Accepted
from dispatcher.domain.operators import Choice, Route

_SPREAD = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: spreads consecutive ids evenly (Knuth, TAOCP 6.4)


class RouteTable:
    """The routes of one operators file, by prefix."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._by_prefix: dict[str, list[Route]] = {}
        for route in routes:
            self._by_prefix.setdefault(route.prefix, []).append(route)
        self._lengths = sorted({len(prefix) for prefix in self._by_prefix}, reverse=True)

    def operators_for(self, message: Accepted) -> list[str]:
        """The operator to try first, then its failovers by falling weight. Empty: there is no route.

        The choice depends on the message's id alone, so a message that is routed again goes the same way.
        """
        number = message.number
        for length in self._lengths:
            for route in self._by_prefix.get(number[:length], ()):
                if _matches(route, message):
                    return _in_order(route.operators, message.id)
        return []


def _matches(route: Route, message: Accepted) -> bool:
    return (
        (not route.lanes or message.lane in route.lanes)
        and (not route.accounts or message.account in route.accounts)
        and (not route.senders or message.sender in route.senders)
    )


def _in_order(choices: Sequence[Choice], message_id: int) -> list[str]:
    if len(choices) == 1:
        return [choices[0].name]
    total = sum(choice.weight for choice in choices)
    point = ((message_id * _SPREAD) & 0xFFFFFFFFFFFFFFFF) * total >> 64
    first = 0
    for place, choice in enumerate(choices):
        if point < choice.weight:
            first = place
            break
        point -= choice.weight
    others = [choice for place, choice in enumerate(choices) if place != first]
    others.sort(key=lambda choice: -choice.weight)
    return [choices[first].name, *(choice.name for choice in others)]
