"""How fast: a rate that no second exceeds, and a pause that grows while the operator says "too fast"."""

_BURST_S = 0.02
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0


class Pace:
    """Tokens for submits. `tps` = 0 is no limit.

    The bucket holds 20 ms' worth and fills at `tps` less that, so that in any second, wherever it begins, at most
    `tps` submits leave.
    """

    def __init__(self, tps: float, now_s: float) -> None:
        self._burst = max(1.0, tps * _BURST_S)
        self._rate = 0.0
        self._tokens = 0.0
        self._at_s = now_s
        self._paused_until_s = 0.0
        self._pause_s = _FIRST_PAUSE_S
        self.limit(tps, now_s)

    def limit(self, tps: float, now_s: float) -> None:
        """Change the rate from now on, with an empty bucket."""
        self._burst = max(1.0, tps * _BURST_S)
        self._rate = tps - self._burst if self._burst > 1 else tps
        self._tokens = 0.0 if tps else 1.0
        self._at_s = now_s

    def allowance(self, now_s: float) -> int:
        """How many submits may leave now."""
        if now_s < self._paused_until_s:
            return 0
        if not self._rate:
            return 1_000_000
        self._tokens = min(self._burst, self._tokens + (now_s - self._at_s) * self._rate)
        self._at_s = now_s
        return int(self._tokens)

    def spend(self, count: int) -> None:
        """`count` submits have left."""
        if self._rate:
            self._tokens -= count

    def wait_s(self, now_s: float) -> float | None:
        """Seconds until the allowance is worth another look; None when nothing holds it back."""
        if now_s < self._paused_until_s:
            return self._paused_until_s - now_s
        if self._rate and self._tokens < 1:
            return max((1 - self._tokens) / self._rate, 0.001)
        return None

    def throttled(self, now_s: float) -> None:
        """The operator said ESME_RTHROTTLED or ESME_RMSGQFUL: wait, each time twice as long."""
        if now_s < self._paused_until_s:
            return  # answers to submits that had left before the pause
        self._paused_until_s = now_s + self._pause_s
        self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)

    def accepted(self) -> None:
        """The operator took one: the next pause is a short one again."""
        self._pause_s = _FIRST_PAUSE_S
