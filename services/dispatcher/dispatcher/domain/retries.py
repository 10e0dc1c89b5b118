"""How often and after what pause a message is tried again when operators can't take it."""

MOST_ATTEMPTS = 20
_LONGEST_PAUSE_MS = 60_000


def pause_ms(rounds: int) -> int:
    """Pause before every operator of the route is tried once more: 1 s, doubling to a minute."""
    return int(min(1_000 * 2 ** (rounds - 1), _LONGEST_PAUSE_MS))
