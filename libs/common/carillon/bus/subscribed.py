"""A part that subscribes at start and unsubscribes at stop: it goes last, so that handlers find everything ready."""

import asyncio
from collections.abc import Sequence

from carillon.bus.port import Bus, Subscription


class Subscribed:
    """The subscriptions of a service."""

    def __init__(self, bus: Bus, subscriptions: Sequence[Subscription]) -> None:
        self._bus = bus
        self._subscriptions = subscriptions

    async def start(self) -> None:
        """Begin to consume."""
        for subscription in self._subscriptions:
            await self._bus.subscribe(subscription)

    async def stop(self) -> None:
        """Let the handlers under way finish, and take nothing new."""
        await asyncio.gather(*(self._bus.unsubscribe(subscription.queue.name) for subscription in self._subscriptions))
