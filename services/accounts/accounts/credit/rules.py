"""How much is lent, and what a status means for a message's charge. Pure."""

from typing import Literal

from carillon.events.message import Status

LEASE_S = 60

ChargeState = Literal["held", "captured", "released"]

# Charged when the operator took it. What never reached an operator costs nothing.
_CAPTURED: frozenset[Status] = frozenset({"submitted", "delivered", "undelivered", "lost"})
_RELEASED: frozenset[Status] = frozenset({"refused", "suppressed", "cancelled"})


def grant(free_micros: int, needed_micros: int, wanted_micros: int) -> int:
    """What is lent of `free_micros` (balance less its limit): 0, or at least what is needed, and never more than free.

    From plenty, all that is wanted. Of a balance that runs out, half at a time, so that several processes share it, in
    whole messages like the one that waits, and in the end that one message: it is spent to the last and never beyond.
    """
    if needed_micros > free_micros:
        return 0
    if free_micros >= 4 * wanted_micros:
        return max(wanted_micros, needed_micros)
    share = min(wanted_micros, free_micros // 2)
    return max(needed_micros, share // needed_micros * needed_micros if needed_micros else share)


def settled(status: Status, previous: Status | None) -> ChargeState | None:
    """What becomes of a charge when a message comes to `status`; None: nothing yet.

    A part that an operator took is owed to it: refused after `submitted` is charged.
    """
    if status in _CAPTURED:
        return "captured"
    if status in _RELEASED:
        return "captured" if previous == "submitted" else "released"
    return None
