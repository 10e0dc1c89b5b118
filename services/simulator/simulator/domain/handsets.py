"""What the handsets hold: the newest messages in one ring, each knowing the one before it on the same handset.

A message is kept as it came (octets and coding) and read only when somebody looks: see `domain/reading.py`.
"""

from collections.abc import Iterator

from msgspec import Struct

from simulator.domain.fates import Outcome

MAX_NUMBERS = 1_000_000

Sar = tuple[int, int, int]
"""Reference, total and place of the optional parameters sar_... (SMPP 3.4, 5.3.2.22-24)."""
NO_SAR: Sar = (0, 0, 0)


class Received(Struct, gc=False):
    """One accepted submit_sm: a whole message or a part of one.

    `message_id` is what the operator called it. `outcome` is its final state, `done_ms` when that is or was reached.
    """

    message_id: int
    number: str
    number_ton: int
    number_npi: int
    sender: str
    sender_ton: int
    sender_npi: int
    system_id: str
    octets: bytes
    data_coding: int
    has_udh: bool
    received_ms: int
    done_ms: int
    outcome: Outcome
    sar: Sar = NO_SAR
    previous: int = -1


class Handsets:
    """Keeps the newest `kept` messages, and how many each number got (of the first million numbers)."""

    def __init__(self, kept: int) -> None:
        self.counts: dict[str, int] = {}
        self.uncounted = 0
        self._kept = kept
        self._ring: list[Received] = []
        self._newest: dict[str, int] = {}
        self._total = 0

    def add(self, received: Received) -> None:
        """The handset's next message; the oldest of all makes room."""
        number, at = received.number, self._total
        self._total = at + 1
        received.previous = self._newest.get(number, -1)
        self._newest[number] = at
        if at < self._kept:
            self._ring.append(received)
        else:
            self._replace(at, received)
        counts = self.counts
        if number in counts:
            counts[number] += 1
        elif len(counts) < MAX_NUMBERS:
            counts[number] = 1
        else:
            self.uncounted += 1

    def of(self, number: str, limit: int) -> list[Received]:
        """The newest parts that one handset holds, newest first."""
        found: list[Received] = []
        at = self._newest.get(number, -1)
        while at >= 0 and at >= self._total - self._kept and len(found) < limit:
            received = self._ring[at % self._kept]
            found.append(received)
            at = received.previous
        return found

    def latest(self) -> Iterator[Received]:
        """The messages of all handsets, newest first."""
        for at in range(self._total - 1, max(-1, self._total - 1 - self._kept), -1):
            yield self._ring[at % self._kept]

    def numbers(self) -> Iterator[str]:
        """Handsets, the one that received last first."""
        for received in self.latest():
            if self._ring[self._newest[received.number] % self._kept] is received:
                yield received.number

    def __len__(self) -> int:
        return len(self._newest)

    def _replace(self, at: int, received: Received) -> None:
        slot = at % self._kept
        oldest = self._ring[slot]
        if self._newest.get(oldest.number) == at - self._kept:
            del self._newest[oldest.number]
        self._ring[slot] = received
