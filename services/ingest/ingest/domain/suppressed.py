"""Whom an account may not write to. The door says so at once; the last check is the dispatcher's."""

from typing import Protocol

from carillon.events.message import Accepted
from ingest.domain.refusal import Refusal


class Suppressed(Protocol):
    """Where it is known; `carillon.copies.SuppressionCopy` is one."""

    def has(self, account: str, number: str, /) -> bool:
        """Whether this account may not write to this number."""
        ...


def refusal_of(message: Accepted, suppressed: Suppressed, field: str) -> Refusal | None:
    """Why the message is not taken, if its number is suppressed; `field` is the number's name at this door."""
    if suppressed.has(message.account, message.number):
        return Refusal("suppressed", "this number has said STOP, or is suppressed for another reason", field)
    return None
