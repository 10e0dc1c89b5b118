"""A service's own copy of the accounts: in memory for every request, in its own database for the next start.

Each process has its own ear (a transient queue) for `account.changed`. Whenever that ear is new, after a start or a
reconnection, the process asks for everything again, since something may have been said meanwhile. The higher version
wins, so order and repetition do not matter. If accounts is away, what the database holds serves.
"""

import time
from collections.abc import Callable, Iterable, Sequence

import msgspec
import structlog

from carillon.bus import Bus, Delivery, Subscription
from carillon.bus.topology import account_copy
from carillon.events.account import AccountChanged, AccountCopyRequested, ApiKey, Door
from carillon.events.catalogue import ACCOUNT_COPY_REQUESTED
from carillon.mongo import Database, write_all
from carillon.mongo.bulk import replace_if_newer

log = structlog.get_logger(__name__)


class AccountCopy:
    """A part. Look-ups are plain dictionary reads."""

    def __init__(self, bus: Bus, database: Database, *, service: str, process: str) -> None:
        self._bus = bus
        self._collection = database["accounts"]
        self._service = service
        self._process = process
        self._accounts: dict[str, AccountChanged] = {}
        self._doors: dict[str, tuple[AccountChanged, Door]] = {}
        self._keys: dict[str, tuple[AccountChanged, ApiKey]] = {}
        self._listeners: list[Callable[[AccountChanged], None]] = []

    def by_id(self, account: str) -> AccountChanged | None:
        """The account, or None when nobody ever said it."""
        return self._accounts.get(account)

    def by_door(self, name: str) -> tuple[AccountChanged, Door] | None:
        """The door of that (lower case) name, with its account."""
        return self._doors.get(name)

    def by_api_key_hash(self, hash_: str) -> tuple[AccountChanged, ApiKey] | None:
        """The key with that SHA-256 (hex), with its account."""
        return self._keys.get(hash_)

    def all(self) -> Iterable[AccountChanged]:
        """Every account that is known."""
        return self._accounts.values()

    def on_change(self, listener: Callable[[AccountChanged], None]) -> None:
        """Call `listener` after each change."""
        self._listeners.append(listener)

    async def start(self) -> None:
        """Load what the database holds, listen, and ask for the rest."""
        async for document in self._collection.find({}):
            self._take(msgspec.convert(document["account"], AccountChanged))
        queue = account_copy(self._service, self._process)
        await self._bus.subscribe(Subscription(queue, self._on_changed, on_attach=self._ask))
        log.info("accounts.loaded", count=len(self._accounts))

    async def stop(self) -> None:
        """Nothing to let go: the bus ends the subscription."""

    async def _ask(self) -> None:
        request = AccountCopyRequested(service=self._service, at=time.time_ns() // 1_000_000)
        await self._bus.publish(ACCOUNT_COPY_REQUESTED, [request])

    async def _on_changed(self, deliveries: Sequence[Delivery]) -> None:
        news = [
            record
            for delivery in deliveries
            for record in delivery.records
            if isinstance(record, AccountChanged) and self._take(record)
        ]
        await write_all(
            self._collection,
            [replace_if_newer(record.id, record.version, {"account": msgspec.to_builtins(record)}) for record in news],
        )

    def _take(self, account: AccountChanged) -> bool:
        known = self._accounts.get(account.id)
        if known is not None and known.version >= account.version:
            return False
        if known is not None:
            for door in known.doors:
                self._doors.pop(door.name, None)
            for key in known.api_keys:
                self._keys.pop(key.hash, None)
        self._accounts[account.id] = account
        for door in account.doors:
            self._doors[door.name] = (account, door)
        for key in account.api_keys:
            self._keys[key.hash] = (account, key)
        for listener in self._listeners:
            listener(account)
        return True
