"""From draft to promise: a message gets its id and is said on the bus; nobody is answered before the broker confirmed.

Single messages are gathered by a group commit for each lane (rule R2). A large batch is one already: it is published by
itself, in messages of 500 records, and does not hold up the single ones.
"""

import time
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from carillon.bus import Bus, BusDownError
from carillon.credit import CreditUnavailableError
from carillon.events.base import LANES, Lane
from carillon.events.catalogue import MESSAGE_ACCEPTED, MESSAGE_DEFERRED
from carillon.events.message import Accepted, Deferred
from carillon.mongo import TEMPORARY_ERRORS
from carillon.mongo.nodes import NoNodeError
from carillon.runtime.committer import Committer, OverloadedError
from carillon.telemetry import metrics, names, traces

RETRY_AFTER_S = 2
# Nothing is wrong with the message: the client should come back a little later.
BUSY_ERRORS: tuple[type[Exception], ...] = (OverloadedError, BusDownError, NoNodeError, *TEMPORARY_ERRORS)


class Ids(Protocol):
    """Where message ids come from."""

    def next(self) -> int:
        """One new id."""
        ...

    def block(self, count: int) -> list[int]:
        """`count` new ids, rising."""
        ...


def busy_code(error: Exception) -> str:
    """The stable word for one of `BUSY_ERRORS`."""
    if isinstance(error, OverloadedError):
        return "overloaded"
    if isinstance(error, CreditUnavailableError):
        return "credit_unavailable"
    return "broker_unavailable" if isinstance(error, BusDownError) else "database_unavailable"


class Acceptance:
    """A part; stopping waits for what is under way.

    `max_waiting` bounds the messages that wait for the broker, in each lane for single ones and in all for batches;
    beyond it both methods raise `OverloadedError` at once.
    """

    def __init__(self, bus: Bus, *, max_waiting: int) -> None:
        self._bus = bus
        self._max_waiting = max_waiting
        self._in_batches = 0
        self._single: dict[Lane, Committer[Accepted]] = {
            lane: Committer(partial(self._say, lane), max_waiting=max_waiting) for lane in LANES
        }

    async def start(self) -> None:
        """Nothing to open, but to be seen."""
        for lane, committer in self._single.items():
            metrics.watch_committer(f"accepted.{lane}", partial(_waiting, committer))

    async def stop(self) -> None:
        """Return when what was taken is said."""
        for committer in self._single.values():
            await committer.drain()
        for lane in LANES:
            metrics.forget_committer(f"accepted.{lane}")

    async def accept(self, message: Accepted) -> None:
        """Return when the broker has confirmed the message; raises one of `BUSY_ERRORS`."""
        await self._single[message.lane].add(message)

    async def accept_batch(self, messages: Sequence[Accepted]) -> None:
        """Return when the broker has confirmed all messages; raises one of `BUSY_ERRORS` when not all are sure."""
        if self._in_batches + len(messages) > self._max_waiting and self._in_batches:
            raise OverloadedError(f"{self._in_batches} messages of batches are waiting to be published")
        self._in_batches += len(messages)
        try:
            for lane in LANES:
                of_lane = [message for message in messages if message.lane == lane]
                if of_lane:
                    await self._say(lane, of_lane)
        finally:
            self._in_batches -= len(messages)

    async def defer(self, messages: Sequence[Deferred]) -> None:
        """Return when the broker has confirmed messages that are to be sent later; raises as `accept_batch`."""
        for lane in LANES:
            of_lane = [deferred for deferred in messages if deferred.message.lane == lane]
            if of_lane:
                await self._bus.publish(MESSAGE_DEFERRED, of_lane, lane=lane)

    async def _say(self, lane: Lane, messages: list[Accepted]) -> None:
        started_s = time.perf_counter()
        links = (message.trace for message in messages)
        with traces.span(names.MESSAGE_ACCEPT, links=links, attributes={names.LANE: lane}, kind="producer"):
            await self._bus.publish(MESSAGE_ACCEPTED, messages, lane=lane)
        metrics.record_commit(f"accepted.{lane}", len(messages), time.perf_counter() - started_s)


def _waiting(committer: Committer[Accepted]) -> int:
    return committer.waiting
