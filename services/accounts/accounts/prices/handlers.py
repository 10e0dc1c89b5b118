"""What happens to price lists: a change by request, a request for copies, and what a crash left to be said."""

from collections.abc import Callable, Sequence

import structlog
from msgspec.structs import replace

from accounts.domain.errors import ConflictError, UnknownError
from accounts.prices.price_list import PriceList
from accounts.prices.store import PriceStore
from carillon.bus import Bus, Delivery
from carillon.events.catalogue import PRICES_CHANGED
from carillon.mongo import TEMPORARY_ERRORS
from carillon.runtime.clock import Clock

log = structlog.get_logger(__name__)

_ATTEMPTS = 5


class ChangePrices:
    """Makes a change durable and says it."""

    def __init__(self, store: PriceStore, bus: Bus, clock: Clock) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock

    async def add(self, price_list: PriceList) -> PriceList:
        """A new list."""
        await self._store.add(price_list)
        await self._say(price_list)
        return price_list

    async def apply(self, list_id: str, change: Callable[[PriceList], PriceList]) -> PriceList:
        """Apply a pure change to the newest state; `UnknownError` for an unknown list."""
        for _ in range(_ATTEMPTS):
            known = await self._store.find(list_id)
            if known is None:
                raise list_unknown()
            changed = change(known)
            if changed == known:
                return known
            changed = replace(changed, version=known.version + 1, changed_at=self._clock.now_ms())
            if await self._store.replace(changed, expected=known.version):
                log.info("prices.changed", price_list=list_id, version=changed.version, rates=len(changed.rates))
                await self._say(changed)
                return changed
        raise ConflictError("busy", "the price list is being changed by many at once: try again")

    async def _say(self, price_list: PriceList) -> None:
        """The change is durable already: if it can't be said now, the sweeper says it later."""
        try:
            await self._bus.publish(PRICES_CHANGED, [price_list.as_event()])
            await self._store.said(price_list.id, price_list.version)
        except TEMPORARY_ERRORS as error:
            log.warning("prices.said_later", price_list=price_list.id, error=repr(error))


class SayPendingPrices:
    """Says what was stored and not said, because a process died or the broker was away in between."""

    def __init__(self, store: PriceStore, bus: Bus) -> None:
        self._store = store
        self._bus = bus

    async def sweep(self) -> None:
        """Say every pending list, one message each: a list can be large."""
        async for price_list in self._store.all(pending_only=True):
            await self._bus.publish(PRICES_CHANGED, [price_list.as_event()])
            await self._store.said(price_list.id, price_list.version)


class SayAllPrices:
    """Answers `prices.copy_requested`: every list is said again, to everybody who listens."""

    def __init__(self, store: PriceStore, bus: Bus) -> None:
        self._store = store
        self._bus = bus

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        """Several requests that came together are answered at once."""
        async for price_list in self._store.all():
            await self._bus.publish(PRICES_CHANGED, [price_list.as_event()])


def list_unknown() -> UnknownError:
    """No price list has this id."""
    return UnknownError("price_list_unknown", "no price list has this id")
