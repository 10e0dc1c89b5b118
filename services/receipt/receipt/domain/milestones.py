"""What has happened to a message, as facts that merge in any order and any number of times (rule R4).

Every milestone is one comparable value, and merging keeps the smaller or the larger of two: so merging is
commutative, associative and idempotent, and MongoDB does the same with `$min` and `$max` (BSON compares arrays
element by element, numbers by value, strings by their UTF-8 bytes, which is Python's order for tuples and strings).
"""

from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from carillon.events.report import FINAL_STATES, ReportState

DELIVERED_RANK = 2
FAILED_RANK = 1


class Submission(NamedTuple):
    """An operator took the part. The first of several counts."""

    at: int
    operator: str
    ref: str  # empty when the operator gave none


class Doubt(NamedTuple):
    """The part was sent, and the answer was lost."""

    at: int
    operator: str


class Final(NamedTuple):
    """The operator's last word on the part. A delivery outranks a failure, then the earliest report counts."""

    rank: int
    minus_at: int  # negative, so that the largest value is the earliest
    state: str
    error: str
    operator: str

    @property
    def at(self) -> int:
        """When the report reached us, in milliseconds."""
        return -self.minus_at


class Refusal(NamedTuple):
    """The message will not be sent. The first of several counts."""

    at: int
    code: str
    detail: str
    operator: str


@dataclass(slots=True, eq=True)
class Milestones:
    """All milestones of one message. `submitted`, `doubts` and `finals` are by part, from 1. Times in ms."""

    accepted: int | None = None
    submitted: dict[int, Submission] = field(default_factory=dict)
    doubts: dict[int, Doubt] = field(default_factory=dict)
    finals: dict[int, Final] = field(default_factory=dict)
    refused: Refusal | None = None
    cancelled: int | None = None
    scheduled: int | None = None  # when it is to be sent
    lost: int | None = None

    def add_submitted(self, part: int, submission: Submission) -> None:
        """Keep the earliest."""
        known = self.submitted.get(part)
        if known is None or submission < known:
            self.submitted[part] = submission

    def add_doubt(self, part: int, doubt: Doubt) -> None:
        """Keep the earliest."""
        known = self.doubts.get(part)
        if known is None or doubt < known:
            self.doubts[part] = doubt

    def add_final(self, part: int, final: Final) -> None:
        """Keep the largest."""
        known = self.finals.get(part)
        if known is None or final > known:
            self.finals[part] = final

    def add_refused(self, refusal: Refusal) -> None:
        """Keep the earliest."""
        if self.refused is None or refusal < self.refused:
            self.refused = refusal


def final_of(state: ReportState, at: int, error: str | None, operator: str) -> Final | None:
    """The milestone that a report makes; None when its state is not final."""
    if state not in FINAL_STATES:
        return None
    return Final(DELIVERED_RANK if state == "delivered" else FAILED_RANK, -at, state, error or "", operator)


def went_wrong(milestones: Milestones) -> bool:
    """Whether any of it is not on the way to a delivery: what people look for in lists."""
    return bool(
        milestones.doubts
        or milestones.refused is not None
        or milestones.cancelled is not None
        or milestones.lost is not None
        or any(final.rank != DELIVERED_RANK for final in milestones.finals.values())
    )


def merge(one: Milestones, other: Milestones) -> Milestones:
    """Both histories as one."""
    merged = Milestones(
        one.accepted,
        dict(one.submitted),
        dict(one.doubts),
        dict(one.finals),
        one.refused,
        one.cancelled,
        one.scheduled,
        one.lost,
    )
    absorb(merged, other)
    return merged


def absorb(milestones: Milestones, other: Milestones) -> None:
    """The same in place."""
    for part, submission in other.submitted.items():
        milestones.add_submitted(part, submission)
    for part, doubt in other.doubts.items():
        milestones.add_doubt(part, doubt)
    for part, final in other.finals.items():
        milestones.add_final(part, final)
    milestones.accepted = _least(milestones.accepted, other.accepted)
    milestones.refused = _least(milestones.refused, other.refused)
    milestones.cancelled = _least(milestones.cancelled, other.cancelled)
    milestones.scheduled = _least(milestones.scheduled, other.scheduled)
    milestones.lost = _least(milestones.lost, other.lost)


def without(known: Milestones, own: Milestones) -> Milestones:
    """What was known apart from `own`.

    A milestone that equals one of `own` is taken to have come from an earlier, interrupted handling of the same
    events: what follows from it may not have been said yet.
    """
    return Milestones(
        None if known.accepted == own.accepted else known.accepted,
        {part: value for part, value in known.submitted.items() if own.submitted.get(part) != value},
        {part: value for part, value in known.doubts.items() if own.doubts.get(part) != value},
        {part: value for part, value in known.finals.items() if own.finals.get(part) != value},
        None if known.refused == own.refused else known.refused,
        None if known.cancelled == own.cancelled else known.cancelled,
        None if known.scheduled == own.scheduled else known.scheduled,
        None if known.lost == own.lost else known.lost,
    )


_T = TypeVar("_T", int, Refusal)


def _least(one: _T | None, other: _T | None) -> _T | None:
    if other is None:
        return one
    return other if one is None else min(one, other)
