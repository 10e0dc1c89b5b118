"""Identifiers. A message id is a positive 63-bit number that sorts by time; the others are prefixed and sort too.

Message id: 41 bits of milliseconds since 2025-01-01, 10 bits of node, 12 bits of sequence. The node number is leased
in MongoDB (`carillon.mongo.nodes`), so no two processes make the same id; a clock that steps back makes ids wait.
"""

import secrets
import time

from carillon.runtime.clock import Clock

EPOCH_MS = 1_735_689_600_000  # 2025-01-01T00:00:00Z
NODES = 1 << 10
_SEQUENCES = 1 << 12
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


class MessageIds:
    """Makes the message ids of one process. `node` is from 0 to 1,023 and is nobody else's while it is held.

    A burst of more than 4,096 ids in one millisecond borrows from the milliseconds to come; so does a clock that
    steps back: the last moment used is never left. Both keep ids unique and rising within the process.
    """

    def __init__(self, node: int, clock: Clock) -> None:
        if not 0 <= node < NODES:
            raise ValueError(f"node {node} is outside 0..{NODES - 1}")
        self._node = node << 12
        self._clock = clock
        self._moment = -1
        self._sequence = 0

    def next(self) -> int:
        """One new id."""
        now = self._clock.now_ms() - EPOCH_MS
        if now > self._moment:
            self._moment = now
            self._sequence = 0
        else:
            self._sequence += 1
            if self._sequence == _SEQUENCES:
                self._moment += 1
                self._sequence = 0
        return (self._moment << 22) | self._node | self._sequence

    def run(self, count: int) -> int:
        """The first of `count` consecutive ids, 4,096 at most: nobody's id is between them."""
        if not 1 <= count <= _SEQUENCES:
            raise ValueError(f"{count} ids are no run of 1..{_SEQUENCES}")
        first = self.next()
        if self._sequence + count > _SEQUENCES:
            self._moment += 1
            self._sequence = 0
            first = (self._moment << 22) | self._node
        self._sequence += count - 1
        return first

    def block(self, count: int) -> list[int]:
        """`count` new ids, rising."""
        return [self.next() for _ in range(count)]


def time_ms_of(message_id: int) -> int:
    """When a message id was made, in milliseconds since 1970."""
    return (message_id >> 22) + EPOCH_MS


def first_id_at(millis: int) -> int:
    """The smallest id that a moment can have: turns a time range into an id range."""
    return max(millis - EPOCH_MS, 0) << 22


def new_id(prefix: str) -> str:
    """`acc_` + 26 characters (Crockford's base 32): 48 bits of time, then 80 random bits. Sorts by time."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return prefix + "_" + "".join(_CROCKFORD[(value >> shift) & 31] for shift in range(125, -1, -5))
