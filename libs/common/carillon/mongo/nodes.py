"""Leases the node number that makes this process's message ids its own (10 bits: 1,024 processes at once)."""

import random

from carillon.mongo.client import Database
from carillon.mongo.leases import Lease, Leases
from carillon.runtime.background import Every
from carillon.runtime.clock import Clock
from carillon.runtime.ids import NODES, MessageIds

_TTL_S = 60.0
_RENEW_S = 15.0


class NoNodeError(RuntimeError):
    """All 1,024 node numbers are held, or this process's number was lost to another."""


class NodeLease:
    """A part: holds a node number while the process runs. `next()` and `block()` make ids with it.

    A number that runs out is not given to another before its lease has, so ids stay unique; a process that could
    not renew (paused, or cut off from MongoDB) takes a fresh number before it makes another id.
    """

    def __init__(self, database: Database, owner: str, clock: Clock) -> None:
        self._leases = Leases(database["nodes"], owner, _TTL_S)
        self._clock = clock
        self._lease: Lease | None = None
        self._ids: MessageIds | None = None
        self._renewal = Every("node lease", _RENEW_S, self._renew)

    async def start(self) -> None:
        """Take a number."""
        await self._take()
        await self._renewal.start()

    async def stop(self) -> None:
        """Give the number back."""
        await self._renewal.stop()
        if self._lease is not None:
            await self._leases.release(self._lease)

    def next(self) -> int:
        """A new message id; `NoNodeError` while no number is held."""
        return self._held().next()

    def block(self, count: int) -> list[int]:
        """`count` new message ids, rising; `NoNodeError` while no number is held."""
        return self._held().block(count)

    def run(self, count: int) -> int:
        """The first of `count` consecutive ids; `NoNodeError` while no number is held."""
        return self._held().run(count)

    def _held(self) -> MessageIds:
        if self._ids is None or self._lease is None or not self._lease.is_held():
            raise NoNodeError("the node number's lease has run out and could not be renewed")
        return self._ids

    async def _renew(self) -> None:
        if self._lease is None or not await self._leases.renew(self._lease):
            await self._take()

    async def _take(self) -> None:
        for number in random.sample(range(NODES), NODES):
            lease = await self._leases.acquire(str(number))
            if lease is not None:
                self._lease, self._ids = lease, MessageIds(number, self._clock)
                return
        raise NoNodeError("all node numbers are in use")
