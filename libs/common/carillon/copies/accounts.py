"""A service's own copy of the accounts: in memory for every request, in its own database for the next start.

Each process has its own ear (a transient queue) for `account.changed`. Whenever that ear is new, after a start or a
reconnection, the process asks for everything again, since something may have been said meanwhile. The higher version
wins, so order and repetition do not matter. If accounts is away, what the database holds serves; if the database is
away, memory stays up to date and the database catches up later.
"""

import time
from collections.abc import Callable, Iterable, Sequence

import msgspec
import structlog

from carillon.bus import Bus, Delivery, Subscription
from carillon.bus.topology import account_copy
from carillon.copies.index import Index
from carillon.events.account import AccountChanged, AccountCopyRequested, ApiKey, Door
from carillon.events.base import MAX_RECORDS
from carillon.events.catalogue import ACCOUNT_COPY_REQUESTED
from carillon.mongo import TEMPORARY_ERRORS, Database, write_all
from carillon.mongo.bulk import replace_if_newer
from carillon.runtime.background import Every

log = structlog.get_logger(__name__)

_SAVE_S = 0.5


class AccountCopy:
    """A part. Look-ups are plain dictionary reads, and find accounts in any state: whoever asks looks at `state`."""

    def __init__(self, bus: Bus, database: Database, *, service: str, process: str) -> None:
        self._bus = bus
        self._collection = database["accounts"]
        self._service = service
        self._queue = account_copy(service, process)
        self._accounts: dict[str, AccountChanged] = {}
        self._doors: Index[tuple[AccountChanged, Door]] = Index()
        self._keys: Index[tuple[AccountChanged, ApiKey]] = Index()
        self._listeners: list[Callable[[AccountChanged], None]] = []
        self._unsaved: dict[str, AccountChanged] = {}
        self._saver = Every("account copy", _SAVE_S, self._save)

    def by_id(self, account: str) -> AccountChanged | None:
        """The account, or None when nobody ever said it."""
        return self._accounts.get(account)

    def by_door(self, name: str) -> tuple[AccountChanged, Door] | None:
        """The door of that (lower case) name, with its account."""
        return self._doors.get(name)

    def by_api_key_hash(self, hash_: str) -> tuple[AccountChanged, ApiKey] | None:
        """The key with that SHA-256 (hex), with its account. Whether it has expired is for the caller to see."""
        return self._keys.get(hash_)

    def all(self) -> Iterable[AccountChanged]:
        """Every account that is known."""
        return self._accounts.values()

    def on_change(self, listener: Callable[[AccountChanged], None]) -> None:
        """Call `listener` after each change. What it raises is logged."""
        self._listeners.append(listener)

    async def start(self) -> None:
        """Load what the database holds, listen, and ask for the rest."""
        async for document in self._collection.find({}):
            try:
                self._take(msgspec.convert(document["account"], AccountChanged))
            except (KeyError, msgspec.ValidationError) as error:  # of another release: it is said anew in a moment
                log.warning("accounts.unreadable", account=document["_id"], error=repr(error))
        log.info("accounts.loaded", count=len(self._accounts))
        await self._bus.subscribe(Subscription(self._queue, self._on_changed, on_attach=self._ask))
        await self._saver.start()

    async def stop(self) -> None:
        """Listen no more, and leave what was heard to the next start."""
        await self._bus.unsubscribe(self._queue.name)
        await self._saver.stop()
        try:
            await self._save()
        except TEMPORARY_ERRORS as error:  # the next start hears it again
            log.warning("accounts.unsaved", count=len(self._unsaved), error=repr(error))

    async def _ask(self) -> None:
        request = AccountCopyRequested(service=self._service, at=time.time_ns() // 1_000_000)
        await self._bus.publish(ACCOUNT_COPY_REQUESTED, [request])

    async def _on_changed(self, deliveries: Sequence[Delivery]) -> None:
        """Into memory, which is what serves. The saver writes: a database that is away must not hold up a change."""
        for delivery in deliveries:
            for record in delivery.records:
                if isinstance(record, AccountChanged) and self._take(record):
                    self._unsaved[record.id] = record

    async def _save(self) -> None:
        """Write what the database has not got yet. A change that comes while one is being written stays for later."""
        while self._unsaved:
            batch = list(self._unsaved.values())[:MAX_RECORDS]
            await write_all(
                self._collection,
                [
                    replace_if_newer(record.id, record.version, {"account": msgspec.to_builtins(record)})
                    for record in batch
                ],
            )
            for record in batch:
                if self._unsaved.get(record.id) is record:
                    del self._unsaved[record.id]

    def _take(self, account: AccountChanged) -> bool:
        known = self._accounts.get(account.id)
        if known is not None and known.version >= account.version:
            return False
        self._accounts[account.id] = account
        self._doors.update(account.id, _doors_of(known), _doors_of(account))
        self._keys.update(account.id, _keys_of(known), _keys_of(account))
        for listener in self._listeners:
            try:
                listener(account)
            except Exception:
                log.exception("accounts.listener_failed", account=account.id)
        return True


def _doors_of(account: AccountChanged | None) -> dict[str, tuple[AccountChanged, Door]]:
    return {door.name: (account, door) for door in account.doors} if account else {}


def _keys_of(account: AccountChanged | None) -> dict[str, tuple[AccountChanged, ApiKey]]:
    return {key.hash: (account, key) for key in account.api_keys} if account else {}
