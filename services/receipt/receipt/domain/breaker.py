"""Whether a client is well enough to be called directly. Pure: moments are handed in, in monotonic seconds."""

_TRIP_AFTER = 5
_QUICK_MS = 1_000
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
_LONGEST_RETRY_AFTER_S = 86_400.0


class Breaker:
    """Trips after some failures in a row that are the client's as a whole (no answer, 429, 5xx, too slow).

    While it is tripped nothing is called directly; after a pause that doubles each time, one call tries.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._pause_s = _FIRST_PAUSE_S
        self._until_s: float | None = None

    @property
    def is_tripped(self) -> bool:
        """Whether direct calls are suspended (or are being tried again one at a time)."""
        return self._until_s is not None

    def admits(self, now_s: float) -> bool:
        """Whether one call may be made now. On trial, this one is it and the next has to wait for another pause."""
        if self._until_s is None:
            return True
        if now_s < self._until_s:
            return False
        self._until_s = now_s + self._pause_s
        return True

    def note(self, status: int, took_ms: int, retry_after_s: float | None, now_s: float) -> None:
        """What became of a call. Its being refused by itself (another 4xx) says nothing about the client's health."""
        if 200 <= status < 300:
            if took_ms <= _QUICK_MS:
                self._failures = 0
                self._pause_s = _FIRST_PAUSE_S
                self._until_s = None
            return
        if status and status != 429 and status < 500:
            return
        self._failures += 1
        if retry_after_s:
            self._until_s = now_s + min(retry_after_s, _LONGEST_RETRY_AFTER_S)
        elif self._failures >= _TRIP_AFTER:
            self.trip(now_s)

    def trip(self, now_s: float) -> None:
        """Suspend direct calls; a breaker that has tripped already is left at its pause."""
        if self._until_s is not None and now_s < self._until_s:
            return
        self._until_s = now_s + self._pause_s
        self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)

    def waits_until_s(self) -> float:
        """When the next try may be made; 0 when there is nothing to wait for."""
        return self._until_s or 0.0
