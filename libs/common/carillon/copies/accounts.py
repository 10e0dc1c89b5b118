"""A service's own copy of the accounts."""

from collections.abc import Callable, Iterable

import structlog

from carillon.bus import Bus
from carillon.bus.topology import account_copy
from carillon.copies.index import Index
from carillon.copies.kept import KeptCopy
from carillon.events.account import AccountChanged, AccountCopyRequested, ApiKey, Door
from carillon.events.base import Record
from carillon.events.catalogue import ACCOUNT_COPY_REQUESTED
from carillon.mongo import Database

log = structlog.get_logger(__name__)


class AccountCopy(KeptCopy[AccountChanged]):
    """A part. Look-ups are plain dictionary reads, and find accounts in any state: whoever asks looks at `state`."""

    def __init__(self, bus: Bus, database: Database, *, service: str, process: str) -> None:
        super().__init__(
            bus,
            database,
            kind=AccountChanged,
            name="accounts",
            field="account",
            queue=account_copy(service, process),
            ask=ACCOUNT_COPY_REQUESTED,
        )
        self._service = service
        self._accounts: dict[str, AccountChanged] = {}
        self._doors: Index[tuple[AccountChanged, Door]] = Index()
        self._keys: Index[tuple[AccountChanged, ApiKey]] = Index()
        self._listeners: list[Callable[[AccountChanged], None]] = []

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

    def _request(self, at_ms: int) -> Record:
        return AccountCopyRequested(service=self._service, at=at_ms)

    def _take(self, account: AccountChanged, /) -> bool:
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
