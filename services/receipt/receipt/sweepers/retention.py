"""Messages are kept for so many days, then deleted, the oldest first and a few at a time."""

import asyncio

from carillon.runtime.clock import Clock
from carillon.runtime.ids import first_id_at
from receipt.store import Stores

_BATCH = 1_000
_PAUSE_S = 0.2
_DAY_MS = 86_400_000


class RetentionSweeper:
    """`sweep()` deletes what is older than `days`."""

    def __init__(self, stores: Stores, days: int, clock: Clock) -> None:
        self._messages = stores.messages
        self._additions = stores.additions
        self._days = days
        self._clock = clock

    async def sweep(self) -> None:
        """Until nothing that old is left."""
        until = first_id_at(self._clock.now_ms() - self._days * _DAY_MS) - 1
        while (last := await self._messages.delete_until(until, _BATCH)) is not None:
            await self._additions.delete_until(last)
            await asyncio.sleep(_PAUSE_S)
