"""A quota of messages a second, and how many messages to a country an hour has seen. Pure; seconds never step back."""

from typing import Final

HOUR_S: Final = 3_600.0


class PerSecond:
    """The generic cell rate algorithm: one number says it all. A second's worth may come at once."""

    __slots__ = ("_due_s", "_interval_s", "_rate")

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._interval_s = 1.0 / rate
        self._due_s = 0.0

    @property
    def rate(self) -> int:
        """Messages a second."""
        return self._rate

    def take(self, now_s: float) -> bool:
        """Whether one more may pass now; then it counts."""
        due_s = self._due_s
        if due_s < now_s:
            due_s = now_s
        if due_s - now_s > 1.0 - self._interval_s + 1e-9:
            return False
        self._due_s = due_s + self._interval_s
        return True

    def left(self, now_s: float) -> int:
        """How many may pass now."""
        ahead_s = max(self._due_s - now_s, 0.0)
        return max(int((1.0 - ahead_s) * self._rate + 1e-6), 0)


class SlidingHour:
    """Messages of the last hour: this hour's, and of the one before as much as the hour still reaches into.

    Two counters stand for each window, so the figure is exact at a window's end, and in between as exact as the hour
    before was even.
    """

    __slots__ = ("_before", "_begin_s", "_count")

    def __init__(self, now_s: float) -> None:
        self._begin_s = now_s
        self._before = self._count = 0

    def add(self, now_s: float) -> int:
        """Count one message; returns how many the last hour has seen."""
        passed_s = now_s - self._begin_s
        if passed_s >= HOUR_S:
            hours = int(passed_s // HOUR_S)
            self._before = self._count if hours == 1 else 0
            self._count = 0
            self._begin_s += hours * HOUR_S
            passed_s -= hours * HOUR_S
        self._count += 1
        return self._count + int(self._before * (1.0 - passed_s / HOUR_S))
