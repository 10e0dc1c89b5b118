"""Writes what became of calls that ended after their batch was acknowledged. A part: it drains when it stops."""

import structlog

from carillon.mongo import TEMPORARY_ERRORS
from carillon.runtime.clock import Clock
from carillon.runtime.committer import Committer, OverloadedError
from receipt.callbacks.lane import Telling
from receipt.callbacks.verdicts import GONE, verdict_of
from receipt.store import Stores
from receipt.store.callbacks import callback_id

log = structlog.get_logger(__name__)


class Settler:
    """If a write fails, the document stays pending and the callback is made again: at least once, never less."""

    def __init__(self, stores: Stores, clock: Clock) -> None:
        self._backlog = stores.callbacks
        self._disabled = stores.disabled_urls
        self._clock = clock
        self._committer: Committer[Telling] = Committer(self._commit)

    def settle(self, telling: Telling) -> None:
        """Its document is there already, and pending."""
        try:
            self._committer.add_then(telling, _ignore)
        except OverloadedError:
            log.warning("callbacks.settler_full")

    async def start(self) -> None:
        """Nothing to wait for."""

    async def stop(self) -> None:
        """Write what is left."""
        await self._committer.drain()

    async def _commit(self, tellings: list[Telling]) -> None:
        now_ms = self._clock.now_ms()
        ended = [(telling, telling.outcome) for telling in tellings if telling.outcome is not None]
        try:
            for telling, outcome in ended:
                if outcome.status == GONE:
                    await self._disabled.disable(telling.target.account, telling.target.url, now_ms)
            await self._backlog.settle(
                verdict_of(callback_id(telling.change), 1, outcome, now_ms) for telling, outcome in ended
            )
            # what waits behind them need not wait for their old time
            told = {telling.change.id: telling.target.lane for telling, outcome in ended if outcome.ok}
            await self._backlog.hasten(told, now_ms)
        except TEMPORARY_ERRORS as error:
            log.warning("callbacks.not_settled", count=len(tellings), error=repr(error))


def _ignore(error: BaseException | None) -> None:
    """The commit has logged it."""
