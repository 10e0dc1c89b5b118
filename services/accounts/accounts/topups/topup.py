"""A top-up: what an account wants to pay, where it does so, and what came of it."""

from typing import Literal

from msgspec import Struct

TopUpState = Literal["open", "paid", "refunded", "disputed", "expired", "failed"]


class Checkout(Struct, frozen=True):
    """Where it is paid: the provider's id of it, and the page for the browser."""

    id: str
    url: str


class TopUp(Struct, frozen=True, kw_only=True):
    """Amounts in micro-units. `fingerprint` tells a request that is repeated from another one with the same key."""

    id: str
    account: str
    account_name: str = ""
    amount: int
    currency: str
    provider: str
    return_url: str | None = None
    fingerprint: str = ""
    checkout: Checkout | None = None
    paid: int = 0
    taken: int = 0
    disputed: bool = False
    ended: Literal["expired", "failed"] | None = None
    created_at: int
    changed_at: int

    @property
    def state(self) -> TopUpState:
        """What is paid stays paid, whatever else comes."""
        if self.paid:
            if self.taken and self.disputed:
                return "disputed"
            return "refunded" if self.taken >= self.paid else "paid"
        return self.ended or "open"
