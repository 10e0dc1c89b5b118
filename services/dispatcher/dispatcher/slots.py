"""One promise per operator: its binds are leased, so that all dispatcher processes together hold no more than agreed.

Each bind is a lease `<operator>:<number>`. A process holds at most its fair share of them, so a second process that
joins gets some. The rate limit is divided by binds and goes with them.
"""

import math
from collections.abc import Awaitable, Callable

import structlog

from carillon.mongo import Lease, Leases
from carillon.runtime.background import Every

log = structlog.get_logger(__name__)

_ROUND_S = 2.0


class Slots:
    """A part: the binds of one operator that this process may use.

    `on_change(held)` is awaited with the numbers held after each change; when it returns after a loss, the bind that
    was lost is closed. A lease is only given back after that.
    """

    def __init__(
        self, leases: Leases, operator: str, process: str, binds: int, on_change: Callable[[set[int]], Awaitable[None]]
    ) -> None:
        self._leases = leases
        self._operator = operator
        self._process = process
        self._binds = binds
        self._on_change = on_change
        self._held: dict[int, Lease] = {}
        self._member: Lease | None = None
        self._rounds = Every(f"binds of {operator}", _ROUND_S, self._round)

    async def start(self) -> None:
        """Take what is free, and look again every 2 s."""
        await self._rounds.start()

    async def stop(self) -> None:
        """Close the binds, then give their leases back."""
        await self._rounds.stop()
        held, self._held = self._held, {}
        await self._on_change(set())
        for lease in held.values():
            await self._leases.release(lease)
        if self._member is not None:
            await self._leases.release(self._member)

    def is_held(self, number: int) -> bool:
        """Whether a bind may be used at this very moment, by our own clock."""
        lease = self._held.get(number)
        return lease is not None and lease.is_held()

    async def _round(self) -> None:
        if self._member is None or not await self._leases.renew(self._member):
            self._member = await self._leases.acquire(f"{self._operator}/{self._process}")
        before = set(self._held)
        for number, lease in list(self._held.items()):
            if not await self._leases.renew(lease):
                log.warning("bind.lease_lost", operator=self._operator, bind=number)
                del self._held[number]
        fair = math.ceil(self._binds / max(await self._leases.count(f"{self._operator}/"), 1))
        for number in range(self._binds):
            if len(self._held) < fair and number not in self._held:
                lease_or_none = await self._leases.acquire(f"{self._operator}:{number}")
                if lease_or_none is not None:
                    self._held[number] = lease_or_none
        excess = [self._held.pop(number) for number in sorted(self._held)[fair:]]
        if set(self._held) != before:
            await self._on_change(set(self._held))
        for lease in excess:
            await self._leases.release(lease)
