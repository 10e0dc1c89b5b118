"""What happens to accounts: a change by request, a request for copies, and what a crash left to be said."""

import asyncio
import random
from collections.abc import Callable, Sequence

import structlog
from msgspec.structs import replace

from accounts.domain.account import Account
from accounts.domain.changes import door_taken
from accounts.domain.errors import ConflictError, UnknownError
from accounts.store import AccountStore, NameTakenError
from carillon.bus import Bus, Delivery
from carillon.events.catalogue import ACCOUNT_CHANGED
from carillon.mongo import TEMPORARY_ERRORS
from carillon.runtime.clock import Clock

log = structlog.get_logger(__name__)

_ATTEMPTS = 30
_LONGEST_PAUSE_S = 0.05


class ChangeAccount:
    """Makes a change durable and says it. Any number of processes may do so at once."""

    def __init__(self, store: AccountStore, bus: Bus, clock: Clock, *, say_timeout_s: float = 2.0) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._say_timeout_s = say_timeout_s

    async def add(self, account: Account) -> Account:
        """A new account."""
        await self._store.add(account)
        log.info("account.added", account=account.id)
        await self._say(account)
        return account

    async def apply(self, account_id: str, change: Callable[[Account], Account]) -> Account:
        """Apply a pure change to the newest state; a change that changes nothing makes no version and no event.

        Raises the RuleErrors of `change`, UnknownError for an unknown account.
        """
        for _ in range(_ATTEMPTS):
            known = await self._store.find(account_id)
            if known is None:
                raise account_unknown()
            changed = change(known)
            if changed == known:
                return known
            changed = replace(changed, version=known.version + 1, changed_at=self._clock.now_ms())
            if await self._replace(changed, known.version):
                log.info("account.changed", account=account_id, version=changed.version)
                await self._say(changed)
                return changed
            await asyncio.sleep(random.uniform(0.001, _LONGEST_PAUSE_S))  # noqa: S311  spreads those who collided
        raise ConflictError("busy", "the account is being changed by many at once: try again")

    async def _replace(self, changed: Account, expected: int) -> bool:
        try:
            return await self._store.replace(changed, expected=expected)
        except NameTakenError as error:
            raise door_taken() from error

    async def _say(self, account: Account) -> None:
        """The change is durable already: if it can't be said now, the sweeper says it later."""
        try:
            async with asyncio.timeout(self._say_timeout_s):
                await self._bus.publish(ACCOUNT_CHANGED, [account.as_event()])
                await self._store.said(account.id, account.version)
        except TEMPORARY_ERRORS as error:
            log.warning("account.said_later", account=account.id, version=account.version, error=repr(error))


class SayPending:
    """Says what was stored and not said, because a process died or the broker was away in between."""

    def __init__(self, store: AccountStore, bus: Bus) -> None:
        self._store = store
        self._bus = bus

    async def sweep(self) -> None:
        """Say every pending change. A process that is saying one just now is not disturbed: copies keep the newest."""
        async for accounts in self._store.batches(pending_only=True):
            await self._bus.publish(ACCOUNT_CHANGED, [account.as_event() for account in accounts])
            for account in accounts:
                await self._store.said(account.id, account.version)
            log.info("account.pending_said", count=len(accounts))


class SayAll:
    """Answers `account.copy_requested`: every account is said again, to everybody who listens."""

    def __init__(self, store: AccountStore, bus: Bus) -> None:
        self._store = store
        self._bus = bus

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        """Several requests that came together are answered at once."""
        count = 0
        async for accounts in self._store.batches():
            await self._bus.publish(ACCOUNT_CHANGED, [account.as_event() for account in accounts])
            count += len(accounts)
        log.info("account.all_said", count=count, requests=len(deliveries))


def account_unknown() -> UnknownError:
    """No account has this id."""
    return UnknownError("account_unknown", "no account has this id")
