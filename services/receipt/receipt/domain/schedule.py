"""When a callback that failed is tried again (CONTRACTS.md, section 2)."""

RETRY_AFTER_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""After the first attempt, at once: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h."""

MAX_ATTEMPTS = 1 + len(RETRY_AFTER_S)
GIVE_UP_S = sum(RETRY_AFTER_S) * 1.2
_JITTER = 0.1
_LONGEST_RETRY_AFTER_S = 86_400.0


def pause_s(attempts: int, chance: float, retry_after_s: float | None = None) -> float | None:
    """How long to wait after so many attempts (1 is the first); None when that was the last.

    `chance` from 0 to 1 spreads clients that failed together: up to 10 % later. The client's own `Retry-After` is
    honoured where it asks for more, up to a day.
    """
    if attempts >= MAX_ATTEMPTS:
        return None
    planned = RETRY_AFTER_S[attempts - 1] * (1 + _JITTER * chance)
    return max(planned, min(retry_after_s or 0.0, _LONGEST_RETRY_AFTER_S))
