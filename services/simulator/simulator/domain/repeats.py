"""Whether something came before, within bounded memory."""


class Repeats:
    """Remembers at least the newest `remembered` keys, at most twice as many."""

    def __init__(self, remembered: int = 500_000) -> None:
        self._remembered = remembered
        self._young: set[int] = set()
        self._old: set[int] = set()

    def seen(self, key: int) -> bool:
        """Whether `key` came before; from now on it did."""
        if key in self._young:
            return True
        repeated = key in self._old
        self._young.add(key)
        if len(self._young) >= self._remembered:
            self._old, self._young = self._young, set()
        return repeated


class Tries:
    """Counts tries of what is refused at first; forgets the oldest beyond `remembered`."""

    def __init__(self, remembered: int = 50_000) -> None:
        self._remembered = remembered
        self._tries: dict[int, int] = {}

    def another(self, key: int) -> int:
        """Which try this is, from 1."""
        tries = self._tries.pop(key, 0) + 1
        self._tries[key] = tries
        if len(self._tries) > self._remembered:
            del self._tries[next(iter(self._tries))]
        return tries

    def forget(self, key: int) -> None:
        """It went through: the next one starts from 1."""
        self._tries.pop(key, None)
