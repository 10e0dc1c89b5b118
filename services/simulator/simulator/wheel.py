"""Things that happen later, gathered into ticks of 5 ms: one timer a tick, not one a message."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

TICK_S = 0.005


class Wheel(Generic[T]):
    """Hands items to `fire` when their time has come, in the order in which they were added to their tick."""

    def __init__(self, fire: Callable[[list[T]], None]) -> None:
        self._fire = fire
        self._ticks: dict[int, list[T]] = {}
        self._timers: dict[int, asyncio.Handle] = {}

    def add(self, delay_s: float, item: T) -> None:
        """`fire` gets `item` after `delay_s`; with 0, in the next turn of the loop."""
        loop = asyncio.get_running_loop()
        tick = int((loop.time() + delay_s) / TICK_S) + 1 if delay_s > 0 else 0
        waiting = self._ticks.get(tick)
        if waiting is not None:
            waiting.append(item)
            return
        self._ticks[tick] = [item]
        self._timers[tick] = loop.call_at(tick * TICK_S, self._turn, tick) if tick else loop.call_soon(self._turn, tick)

    def flush(self) -> None:
        """Let everything happen now."""
        ticks, self._ticks = self._ticks, {}
        self.clear()
        for tick in sorted(ticks):
            self._fire(ticks[tick])

    def clear(self) -> None:
        """Forget everything that was to happen."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._ticks.clear()

    def __len__(self) -> int:
        return sum(map(len, self._ticks.values()))

    def _turn(self, tick: int) -> None:
        del self._timers[tick]
        self._fire(self._ticks.pop(tick))
