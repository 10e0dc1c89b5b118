"""What was sent and not answered yet: by sequence, with deadlines and a limit (SMPP 3.4, 2.7, 5.1.4)."""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

OutcomeKind = Literal["answered", "timed_out", "lost"]


class Outcome(Struct, frozen=True, gc=False):
    """How a request ended. After `timed_out` or `lost` the peer may have acted on it, or not."""

    kind: OutcomeKind
    status: int = 0
    body: bytes = b""

    @property
    def ok(self) -> bool:
        """The peer answered, and accepted."""
        return self.kind == "answered" and self.status == 0

    @property
    def message_id(self) -> str:
        """The C-octet string that every answer starts with; empty when the peer sent no body or no id."""
        return self.body.partition(b"\0")[0].decode("latin-1")


TIMED_OUT = Outcome("timed_out")
LOST = Outcome("lost")

OnOutcome = Callable[[Outcome], None]


class Window:
    """Unanswered requests of one connection.

    An entry leaves by answer, timeout or loss, and only once: a late answer finds nothing, and as sequence
    numbers do not come back for 2^31 requests it cannot find another's entry. All entries share one timeout,
    so the oldest is always first.
    """

    __slots__ = ("_entries", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._entries: dict[int, tuple[float, int, OnOutcome]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, sequence: int) -> bool:
        return sequence in self._entries

    @property
    def free(self) -> int:
        """Slots left; 0 also when the limit was lowered below what is out."""
        return max(0, self.limit - len(self._entries))

    def add(self, sequence: int, response_id: int, deadline_s: float, on_outcome: OnOutcome) -> None:
        """Remember what was sent, and which response it wants."""
        self._entries[sequence] = (deadline_s, response_id, on_outcome)

    def take(self, sequence: int, response_id: int, nack_id: int) -> OnOutcome | None:
        """The callback of what is answered, or None when nothing waits for this response."""
        entry = self._entries.get(sequence)
        if entry is None or response_id not in (entry[1], nack_id):
            return None
        del self._entries[sequence]
        return entry[2]

    def expired(self, now_s: float) -> list[OnOutcome]:
        """Take what is past its deadline."""
        late = []
        for sequence, (deadline_s, _, on_outcome) in self._entries.items():
            if deadline_s > now_s:
                break
            late.append((sequence, on_outcome))
        for sequence, _ in late:
            del self._entries[sequence]
        return [on_outcome for _, on_outcome in late]

    def clear(self) -> list[OnOutcome]:
        """Take all."""
        entries = [on_outcome for _, _, on_outcome in self._entries.values()]
        self._entries.clear()
        return entries
