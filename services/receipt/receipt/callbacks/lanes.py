"""The lanes of this process, and which URLs have asked not to be called any more (410)."""

from carillon.copies import AccountCopy
from carillon.events.message import StatusChanged
from carillon.runtime.clock import Clock
from receipt.callbacks.client import Connector
from receipt.callbacks.lane import Lane
from receipt.callbacks.targets import Target, target_of

_KEEP = 1_000


class UnknownAccountError(Exception):
    """Nobody has said this account yet: where its receipts go is not known."""


class Lanes:
    """A part: closes all connections when it stops."""

    def __init__(self, accounts: AccountCopy, connector: Connector, clock: Clock) -> None:
        self._accounts = accounts
        self._connector = connector
        self._clock = clock
        self._lanes: dict[str, Lane] = {}

    def target_of(self, change: StatusChanged) -> Target | None:
        """Where a change is to be told; None when its account has no URL. `BadUrlError` when it can't be called."""
        account = self._accounts.by_id(change.account)
        if account is None:
            raise UnknownAccountError(f"account {change.account} is not known here yet")
        callback = account.callback
        secrets = tuple(callback.secrets) if callback is not None else ()
        form = change.callback_form or (callback.form if callback is not None else "query")
        if change.callback_url is not None:
            return target_of(change.account, change.callback_url, form, secrets)
        return target_of(change.account, callback.url, form, secrets) if callback is not None else None

    def secrets_of(self, account: str) -> tuple[str, ...]:
        """The secrets that sign an account's callbacks now, the newest first."""
        known = self._accounts.by_id(account)
        return tuple(known.callback.secrets) if known is not None and known.callback is not None else ()

    def of(self, target: Target) -> Lane:
        """The lane of a target; it is made when it is first needed."""
        lane = self._lanes.get(target.lane)
        if lane is None:
            lane = self._lanes[target.lane] = Lane(target, self._connector, self._clock)
        return lane

    def note_backlogs(self, keys: set[str], as_of_s: float) -> None:
        """These lanes, and no others, had something pending in the database. Unused lanes are forgotten."""
        for key, lane in list(self._lanes.items()):
            if key in keys:
                lane.backlog = True
            elif lane.added_s < as_of_s:
                lane.backlog = False
            if len(self._lanes) > _KEEP and lane.is_idle and not lane.backlog and not lane.breaker.is_tripped:
                lane.close()
                del self._lanes[key]

    async def start(self) -> None:
        """Lanes come up when they are needed."""

    async def stop(self) -> None:
        """Close every connection."""
        for lane in self._lanes.values():
            lane.close()
