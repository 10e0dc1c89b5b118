"""What became of many messages, in numbers: counts by what they have in common, and how long deliveries took.

Latencies are counted in bins whose bounds grow by 9 % (2 to the 1/8), so that hours can be added up; a percentile is
the middle of its bin, at most 4.5 % from the exact one.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from receipt.domain.milestones import Milestones
from receipt.domain.status import error_of, moment_of, operator_of, status_of
from receipt.domain.times import shown_time

HOUR_MS = 3_600_000
MAX_CELLS = 10_000  # of one account's hour: beyond, senders are no longer told apart, then campaigns
MANY = "*"
_BINS_A_DOUBLING = 8


class Cell(NamedTuple):
    """What messages have in common."""

    status: str
    country: str
    operator: str | None
    campaign: str | None
    error: str | None
    sender: str


class Tally(msgspec.Struct, array_like=True, gc=False):
    """How many. `latency` counts delivered messages by bin of the time from acceptance to delivery."""

    messages: int = 0
    parts: int = 0
    price_micros: int = 0
    latency: dict[int, int] = {}

    def add(self, other: "Tally") -> None:
        """Both together."""
        self.messages += other.messages
        self.parts += other.parts
        self.price_micros += other.price_micros
        for bin_, count in other.latency.items():
            self.latency[bin_] = self.latency.get(bin_, 0) + count

    @property
    def delivered(self) -> int:
        """Messages that are on the handset."""
        return sum(self.latency.values())

    def latency_ms(self, share: float) -> int | None:
        """A percentile by nearest rank, `share` from 0 to 1; None when nothing was delivered."""
        rank = max(1, math.ceil(self.delivered * share))
        for bin_, count in sorted(self.latency.items()):
            rank -= count
            if rank <= 0:
                return round(2 ** ((bin_ + 0.5) / _BINS_A_DOUBLING))
        return None


Tallies = dict[Cell, Tally]
Key = tuple[str | None, ...]


class Facts(NamedTuple):
    """What a tally needs of a message, apart from its milestones."""

    country: str
    campaign: str | None
    sender: str
    parts: int
    price_micros: int
    accepted_at: int


def count(tallies: Tallies, facts: Facts, milestones: Milestones) -> None:
    """Add one message; it stands where its milestones say, as in the API."""
    status = status_of(milestones, facts.parts)
    if status is None:
        return
    cell = Cell(
        status, facts.country, operator_of(milestones), facts.campaign, error_of(milestones, status), facts.sender
    )
    tally = tallies.get(cell)
    if tally is None:
        tally = tallies[cell] = Tally()
    tally.messages += 1
    tally.parts += facts.parts
    tally.price_micros += facts.price_micros
    if status == "delivered":
        bin_ = bin_of(moment_of(milestones, status) - facts.accepted_at)
        tally.latency[bin_] = tally.latency.get(bin_, 0) + 1


def bin_of(latency_ms: int) -> int:
    """The bin of a latency; what took less than a millisecond counts as one."""
    return math.floor(math.log2(max(latency_ms, 1)) * _BINS_A_DOUBLING)


def bounded(tallies: Tallies, most: int = MAX_CELLS) -> Tallies:
    """The same with fewer cells where they are too many: a sender or campaign for each message says nothing."""
    for name in ("sender", "campaign"):
        if len(tallies) > most:
            tallies = _merged((cell._replace(**{name: MANY}), tally) for cell, tally in tallies.items())
    return tallies


def add_hour(groups: dict[Key, Tally], by: Sequence[str], hour: int, tallies: Mapping[Cell, Tally]) -> None:
    """Add an hour (since 1970) to groups by some of `day`, `hour` and a cell's fields."""
    shown = shown_time(hour * HOUR_MS)
    times = {"hour": shown[:13] + ":00:00Z", "day": shown[:10]}
    for cell, tally in tallies.items():
        key = tuple(times[name] if name in times else getattr(cell, name) for name in by)
        group = groups.get(key)
        if group is None:
            group = groups[key] = Tally()
        group.add(tally)


def _merged(cells: Iterable[tuple[Cell, Tally]]) -> Tallies:
    merged: Tallies = {}
    for cell, tally in cells:
        merged.setdefault(cell, Tally()).add(tally)
    return merged
