"""What was counted since the last reset. All of it is counted, also what the handsets no longer show."""

from collections import deque

from msgspec import Struct

_SLICES = 10  # a second in tenths


class Counters(Struct):
    """`duplicates` are accepted submits that came before, `unique` the others. `unanswered_max` is per bind."""

    submits: int = 0
    accepted: int = 0
    duplicates: int = 0
    throttled: int = 0
    refused: int = 0
    unanswered_max: int = 0
    receipts_made: int = 0
    receipts_sent: int = 0
    receipts_acked: int = 0
    receipts_refused: int = 0
    receipts_dropped: int = 0
    inbound_sent: int = 0
    inbound_acked: int = 0
    binds_total: int = 0
    binds_refused: int = 0
    links_dropped: int = 0

    @property
    def unique(self) -> int:
        """Accepted submits without their repetitions."""
        return self.accepted - self.duplicates


class Peak:
    """The most submits in one second, where seconds start at each tenth of one: never more than there really were."""

    def __init__(self) -> None:
        self.value = 0
        self._slices: deque[int] = deque([0] * _SLICES, maxlen=_SLICES)
        self._moment = 0
        self._current = 0
        self._sum = 0

    def add(self, now_s: float) -> None:
        """One submit arrived."""
        moment = int(now_s * _SLICES)
        if moment != self._moment:
            self._turn(moment)
        self._current += 1
        if self._sum + self._current > self.value:
            self.value = self._sum + self._current

    def _turn(self, moment: int) -> None:
        for _ in range(min(moment - self._moment, _SLICES)):
            self._slices.append(self._current)
            self._current = 0
        self._moment = moment
        self._sum = sum(self._slices) - self._slices[0]


class Limit:
    """How many submits a second are let through: a bucket that holds a tenth of a second's worth, one at least."""

    def __init__(self) -> None:
        self._tokens = 0.0
        self._since_s = 0.0

    def allows(self, tps: int, now_s: float) -> bool:
        """Take a token if there is one."""
        room = max(1.0, tps / 10)
        self._tokens = min(room, self._tokens + (now_s - self._since_s) * tps)
        self._since_s = now_s
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
