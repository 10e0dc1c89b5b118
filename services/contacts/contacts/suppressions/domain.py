"""What a suppression is, and which of two reasons stays."""

from typing import Final, Literal, get_args

from msgspec import Struct

from carillon.events.audience import OptedIn, OptedOut, OptOutSource

Reason = Literal["bounced", "imported", "manual", "stop", "erased"]
What = Literal["opted_out", "opted_in", "erased", "given"]

REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
# The later, the stronger: what the person said stays whatever a list says, and an erased person is never written anew.
RANK: Final[dict[Reason, int]] = {reason: place for place, reason in enumerate(REASONS, 1)}
SOURCES: Final[dict[Reason, OptOutSource]] = {
    "bounced": "bounced",
    "imported": "import",
    "manual": "manual",
    "stop": "stop",
    "erased": "erased",
}


class Change(Struct, frozen=True, kw_only=True):
    """Something that is to happen to a number in an account. The same `id` again is the same change.

    `reason` None lifts the suppression. `at` is when it was said, in ms; `is_inbound`: by the handset itself.
    """

    id: str
    account: str
    number: str
    reason: Reason | None
    source: OptOutSource
    evidence: str = ""
    at: int
    is_inbound: bool = False

    @property
    def what(self) -> What:
        """As the consent log says it."""
        if self.reason is None:
            return "opted_in"
        return "erased" if self.reason == "erased" else "opted_out"


class Pending(Struct, frozen=True, kw_only=True):
    """A change that was stored and has perhaps not been said. `number` is kept here only while an erasure is done."""

    id: str
    what: What
    reason: Reason | None
    source: OptOutSource
    evidence: str
    at: int
    number: str | None = None


class Suppression(Struct, frozen=True, kw_only=True):
    """What is known of a number's will in an account. `number` is None once it was erased."""

    hash: bytes
    account: str
    number: str | None
    active: bool
    reason: Reason | None
    source: OptOutSource
    version: int
    changed_at: int
    pending: tuple[Pending, ...] = ()

    def as_event(self) -> OptedOut | OptedIn:
        """As dispatchers are told."""
        record = OptedOut if self.active else OptedIn
        return record(
            account=self.account,
            number=self.number or "",
            hash=self.hash.hex(),
            version=self.version,
            source=self.source,
            at=self.changed_at,
        )
