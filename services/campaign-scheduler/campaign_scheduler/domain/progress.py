"""How far the messages of a page have come: one byte a message, which only rises, and the counts that follow.

A byte is the rank of the farthest status that was told of the message, in the order of receipt's lattice. So any order
and any repetition of `message.status` gives the same bytes, and whoever sums pages sums what is true of each.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from carillon.events.message import Status

RANKS: Final[Mapping[Status, int]] = {
    "accepted": 1,
    "scheduled": 2,
    "routed": 3,
    "ambiguous": 4,
    "submitted": 5,
    "lost": 6,
    "cancelled": 7,
    "suppressed": 8,
    "refused": 9,
    "undelivered": 10,
    "delivered": 11,
}
_HANDED: Final = RANKS["ambiguous"]
_FINAL: Final = RANKS["lost"]


class Tally(Struct, frozen=True, kw_only=True, gc=False):
    """Counts of one page's messages. They add up to the messages; `waiting` ones are not with an operator yet."""

    waiting: int = 0
    ambiguous: int = 0
    submitted: int = 0
    lost: int = 0
    cancelled: int = 0
    suppressed: int = 0
    refused: int = 0
    undelivered: int = 0
    delivered: int = 0

    @property
    def is_handed(self) -> bool:
        """Every message has left our pipeline, one way or another."""
        return self.waiting == 0

    @property
    def is_open(self) -> bool:
        """Some message has no last word yet."""
        return self.waiting + self.ambiguous + self.submitted > 0


def merged(states: bytes, told: Iterable[tuple[int, int]]) -> bytes:
    """`states` after these (place, rank)."""
    after = bytearray(states)
    for place, rank in told:
        if rank > after[place]:
            after[place] = rank
    return bytes(after)


def tally_of(states: bytes) -> Tally:
    """Count them."""
    count = states.count
    return Tally(
        waiting=sum(count(rank) for rank in range(_HANDED)),
        ambiguous=count(RANKS["ambiguous"]),
        submitted=count(RANKS["submitted"]),
        lost=count(RANKS["lost"]),
        cancelled=count(RANKS["cancelled"]),
        suppressed=count(RANKS["suppressed"]),
        refused=count(RANKS["refused"]),
        undelivered=count(RANKS["undelivered"]),
        delivered=count(RANKS["delivered"]),
    )


class Pages(Struct, kw_only=True):
    """What all pages of a campaign come to. `unsaid` of the waiting messages were not said on the bus yet."""

    recipients: int = 0
    suppressed: int = 0
    refused: int = 0
    unsaid: int = 0
    parts: int = 0
    tally: Tally = Tally()


class Progress(Struct, kw_only=True, frozen=True):
    """Counts of a campaign: `recipients = sent + suppressed + refused + cancelled + pending`, whenever it is asked.

    `sent` were taken by an operator, or may have been (`ambiguous`); of them `delivered`, `undelivered` and `lost` have
    a last word and `awaiting` have none yet. `is_exact` is False while the audience is still being read.
    """

    recipients: int
    sent: int
    delivered: int
    undelivered: int
    lost: int
    ambiguous: int
    awaiting: int
    suppressed: int
    refused: int
    cancelled: int
    pending: int
    parts: int
    is_exact: bool


def progress_of(pages: Pages, *, estimate: int, is_whole: bool, is_cancelled: bool, saying: int = 0) -> Progress:
    """The counts of a campaign from its pages.

    `estimate` is how many recipients its audience was counted to have, `is_whole` whether its last page is there.
    `saying` messages are being said: a cancellation comes too late for them.
    """
    tally = pages.tally
    recipients = pages.recipients if is_whole else max(pages.recipients, estimate)
    unread = recipients - pages.recipients
    suppressed = pages.suppressed + tally.suppressed
    refused = pages.refused + tally.refused
    cancelled = tally.cancelled
    if is_cancelled:
        cancelled += unread + max(0, pages.unsaid - saying)
    sent = tally.ambiguous + tally.submitted + tally.lost + tally.undelivered + tally.delivered
    return Progress(
        recipients=recipients,
        sent=sent,
        delivered=tally.delivered,
        undelivered=tally.undelivered,
        lost=tally.lost,
        ambiguous=tally.ambiguous,
        awaiting=tally.ambiguous + tally.submitted,
        suppressed=suppressed,
        refused=refused,
        cancelled=cancelled,
        pending=recipients - sent - suppressed - refused - cancelled,
        parts=pages.parts,
        is_exact=is_whole,
    )
