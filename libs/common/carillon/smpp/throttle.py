"""How a connection slows down when its peer says ESME_RTHROTTLED or ESME_RMSGQFUL."""

import asyncio
from collections.abc import Callable

MAX_DOUBLINGS = 4


class Throttle:
    """A pause that doubles while the peer still says no after it, and starts small again once it says yes."""

    __slots__ = ("_first_s", "_next_s", "_on_change", "active")

    def __init__(self, first_pause_s: float, on_change: Callable[[], None]) -> None:
        self.active = False
        """A pause is running: send nothing."""
        self._first_s = first_pause_s
        self._next_s = first_pause_s
        self._on_change = on_change

    def refused(self) -> None:
        """The peer said slow down: pause, unless a pause runs already or pauses are off."""
        if self.active or not self._first_s:
            return
        self.active = True
        asyncio.get_running_loop().call_later(self._next_s, self._over)
        self._next_s = min(self._next_s * 2, self._first_s * 2**MAX_DOUBLINGS)
        self._on_change()

    def accepted(self) -> None:
        """The peer took one."""
        if not self.active:
            self._next_s = self._first_s

    def _over(self) -> None:
        self.active = False
        self._on_change()
