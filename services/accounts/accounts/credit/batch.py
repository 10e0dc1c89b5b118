"""What one batch of messages changes in the book: sums by account, so a batch is a few entries and not one each."""

from collections import defaultdict
from collections.abc import Mapping

from msgspec import Struct

from accounts.credit.entry import Entry, Kind, Line, move
from accounts.credit.rules import ChargeState
from carillon.mongo import Document
from carillon.runtime.ids import new_id


class Charge(Struct, frozen=True, kw_only=True):
    """What a message costs, and the lease that pays."""

    message: int
    account: str
    lease: str
    micros: int
    country: str = ""
    parts: int = 1


class Batch:
    """Gathers the moves; then `entries` and `leases_changed` say what is to be written."""

    def __init__(self, leases: Mapping[str, Document], at: int) -> None:
        self._leases = leases
        self._at = at
        self._moves: dict[tuple[str, str, Kind, str, str], int] = defaultdict(int)
        self._charged: dict[str, int] = defaultdict(int)
        self._ended: set[str] = set()

    def charge(self, charge: Charge) -> None:
        """From the lease to held; of a lease that has ended, or spent more than it was lent, from what is available."""
        lease = self._leases[charge.lease]
        left = 0
        if lease["state"] == "open":
            left = min(max(lease["granted"] - lease["charged"] - self._charged[charge.lease], 0), charge.micros)
            self._charged[charge.lease] += left
        self._move(charge.account, "charge", "leased", "held", left, lease)
        self._move(charge.account, "charge", "available", "held", charge.micros - left, lease)

    def settle(self, charge: Charge, state: ChargeState) -> None:
        """Earned, or given back."""
        kind: Kind = "capture" if state == "captured" else "release"
        target = "revenue" if state == "captured" else "available"
        self._move(charge.account, kind, "held", target, charge.micros, self._leases[charge.lease])

    def end(self, lease_id: str) -> None:
        """What was not spent goes back."""
        lease = self._leases.get(lease_id)
        if lease is None or lease["state"] != "open" or lease_id in self._ended:
            return
        self._ended.add(lease_id)
        left = lease["granted"] - lease["charged"] - self._charged[lease_id]
        self._move(lease["account"], "lease_end", "leased", "available", left, lease)

    @property
    def leases_changed(self) -> dict[str, Document]:
        """Updates by lease."""
        changes: dict[str, Document] = {
            lease: {"$inc": {"charged": micros}} for lease, micros in self._charged.items() if micros
        }
        for lease in self._ended:
            changes.setdefault(lease, {})["$set"] = {"state": "ended"}
        return changes

    def entries(self) -> list[Entry]:
        """One for each account, kind and pair of books."""
        return [
            made(account, currency, kind, move(source, target, micros), self._at, None)
            for (account, currency, kind, source, target), micros in self._moves.items()
            if micros
        ]

    def _move(self, account: str, kind: Kind, source: str, target: str, micros: int, lease: Document) -> None:
        self._moves[account, lease["currency"], kind, source, target] += micros


def made(account: str, currency: str, kind: Kind, lines: tuple[Line, ...], at: int, ref: str | None) -> Entry:
    """An entry of its own key."""
    return Entry(key=new_id("ent"), account=account, currency=currency, kind=kind, lines=lines, at=at, ref=ref)
