"""What providers say of a payment, and what it books: the same, in whatever order and however often it is said.

What is known of a payment only grows: merging an event is commutative, associative and idempotent. What the book has to
say follows from what is known, and only the difference to what it said before is booked.
"""

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from accounts.credit.entry import Entry, move

EventKind = Literal["paid", "refunded", "disputed", "dispute_won", "expired", "failed"]


class PaymentEvent(Struct, frozen=True, kw_only=True):
    """One signed event of a provider, in our words.

    `payment` is the provider's id of the payment (none: there was no payment); `refunded` tells the sum of all refunds
    so far; a dispute takes its amount until it is won.
    """

    kind: EventKind
    payment: str | None = None
    topup: str | None = None
    micros: int = 0
    currency: str = ""
    dispute: str | None = None


class Payment(Struct, frozen=True, kw_only=True):
    """All that is known of a payment, and what of it is in the book (`booked_...`, so many corrections)."""

    id: str
    topup: str | None = None
    currency: str = ""
    paid: int = 0
    refunded: int = 0
    disputes: dict[str, int] = {}
    won: tuple[str, ...] = ()
    booked_paid: int = 0
    booked_taken: int = 0
    corrections: int = 0

    @property
    def taken(self) -> int:
        """What went back to the card: refunds and disputes, never more than was paid."""
        disputed = sum(micros for dispute, micros in self.disputes.items() if dispute not in self.won)
        return min(self.paid, self.refunded + disputed)

    @property
    def is_disputed(self) -> bool:
        """Whether a dispute is open or lost."""
        return any(dispute not in self.won for dispute in self.disputes)


def merged(payment: Payment, event: PaymentEvent) -> Payment:
    """What is known after the event."""
    known = replace(payment, topup=payment.topup or event.topup, currency=payment.currency or event.currency)
    if event.kind == "paid":
        return replace(known, paid=max(known.paid, event.micros))
    if event.kind == "refunded":
        return replace(known, refunded=max(known.refunded, event.micros))
    dispute = event.dispute or ""
    if event.kind == "disputed":
        return replace(known, disputes={**known.disputes, dispute: max(known.disputes.get(dispute, 0), event.micros)})
    if event.kind == "dispute_won":
        return replace(known, won=tuple(sorted({*known.won, dispute})))
    return known


def bookings(payment: Payment, account: str, at: int) -> tuple[Payment, list[Entry]]:
    """The entries that the book lacks, and the payment with them booked. A refund may take a balance below zero."""
    entries: list[Entry] = []

    def book(key: str, kind: Literal["topup", "refund"], micros: int) -> None:
        lines = move("cash", "available", micros)
        entries.append(
            Entry(key=key, account=account, currency=payment.currency, kind=kind, lines=lines, at=at, ref=payment.topup)
        )

    if payment.paid != payment.booked_paid:
        book(f"pay_{payment.id}", "topup", payment.paid - payment.booked_paid)
        payment = replace(payment, booked_paid=payment.paid)
    if payment.taken != payment.booked_taken:
        number = payment.corrections + 1
        book(f"ref_{payment.id}_{number}", "refund", payment.booked_taken - payment.taken)
        payment = replace(payment, booked_taken=payment.taken, corrections=number)
    return payment, entries
