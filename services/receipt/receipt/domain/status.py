"""From milestones to status: one pure function, and what each status is to be told with."""

from carillon.events.message import Status
from receipt.domain.milestones import DELIVERED_RANK, Final, Milestones

# The later in this order, the stronger: of what is said about one message, the largest is where it stands.
SEQUENCE: dict[Status, int] = {
    "accepted": 1,
    "scheduled": 2,
    "routed": 3,
    "ambiguous": 4,
    "submitted": 5,
    "lost": 6,
    "cancelled": 7,
    "suppressed": 7,
    "refused": 7,
    "undelivered": 8,
    "delivered": 9,
}
ENDED: frozenset[Status] = frozenset({"delivered", "undelivered", "refused", "suppressed", "cancelled"})


def status_of(milestones: Milestones, parts: int) -> Status | None:
    """Where the message stands; None while its acceptance is not known."""
    chain = chain_of(milestones, parts)
    return chain[-1] if chain else None


def chain_of(milestones: Milestones, parts: int) -> tuple[Status, ...]:
    """Every status that the milestones entail, in the order in which they are to be said; empty before acceptance."""
    if milestones.accepted is None:
        return ()
    begun: tuple[Status, ...] = ("accepted",) if milestones.scheduled is None else ("accepted", "scheduled")
    chain = begun
    submitted, finals = milestones.submitted, milestones.finals
    if (1 in submitted or 1 in finals) and (
        parts == 1 or all(part in submitted or part in finals for part in range(2, parts + 1))
    ):
        chain = (*begun, "submitted")
    elif any(part not in submitted and part not in finals for part in milestones.doubts):
        chain = (*begun, "ambiguous")
    end = _end_of(milestones, parts)
    return chain if end is None else (*chain, end)


def _end_of(milestones: Milestones, parts: int) -> Status | None:
    finals = milestones.finals
    if finals:
        if any(final.rank != DELIVERED_RANK for final in finals.values()):
            return "undelivered"
        if len(finals) >= parts:
            return "delivered"
    if milestones.refused is not None:
        return "suppressed" if milestones.refused.code == "suppressed" else "refused"
    if milestones.cancelled is not None:
        return "cancelled"
    return None if milestones.lost is None else "lost"


def moment_of(milestones: Milestones, status: Status) -> int:
    """When the message came to this status, in ms: the same whenever it is asked."""
    if status == "delivered":
        return max(final.at for final in milestones.finals.values())
    if status == "undelivered":
        return _failure(milestones).at
    if status == "submitted":
        if len(milestones.submitted) == 1 and not milestones.finals:
            return next(iter(milestones.submitted.values())).at
        taken = {part: final.at for part, final in milestones.finals.items()}
        taken |= {part: submission.at for part, submission in milestones.submitted.items()}
        return max(taken.values())
    if status == "ambiguous":
        return min(doubt.at for doubt in milestones.doubts.values())
    if status in ("refused", "suppressed") and milestones.refused is not None:
        return milestones.refused.at
    if status == "cancelled" and milestones.cancelled is not None:
        return milestones.cancelled
    if status == "lost" and milestones.lost is not None:
        return milestones.lost
    assert milestones.accepted is not None
    return milestones.accepted


def error_of(milestones: Milestones, status: Status) -> str | None:
    """A stable word for why it failed; None for what is no failure."""
    if status == "undelivered":
        failure = _failure(milestones)
        return failure.error or failure.state
    if status in ("refused", "suppressed") and milestones.refused is not None:
        return milestones.refused.code
    return None


def operator_of(milestones: Milestones) -> str | None:
    """Who took the first part, or may have, or refused it."""
    if milestones.submitted:
        return milestones.submitted[min(milestones.submitted)].operator
    if milestones.finals:
        return milestones.finals[min(milestones.finals)].operator
    if milestones.doubts:
        return milestones.doubts[min(milestones.doubts)].operator
    return (milestones.refused.operator or None) if milestones.refused is not None else None


def _failure(milestones: Milestones) -> Final:
    """The earliest failure."""
    return max(final for final in milestones.finals.values() if final.rank != DELIVERED_RANK)
