"""A clock that moves when it is told to."""

import asyncio
import heapq
import itertools

START_MS = 1_795_000_000_000  # 2026-11-18


class ManualClock:
    """Stands still; `advance` moves it and wakes the sleepers whose time has come, in order."""

    def __init__(self, start_ms: int = START_MS) -> None:
        self._now_ms = float(start_ms)
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return int(self._now_ms)

    def monotonic_s(self) -> float:
        """Moves with the wall."""
        return self._now_ms / 1000

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was moved that far."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now_ms + seconds * 1000, next(self._order), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Move on, and let what was woken run."""
        end = self._now_ms + seconds * 1000
        while self._sleepers and self._sleepers[0][0] <= end:
            moment, _, future = heapq.heappop(self._sleepers)
            self._now_ms = max(self._now_ms, moment)
            if not future.done():
                future.set_result(None)
            await asyncio.sleep(0)
        self._now_ms = end
        for _ in range(5):
            await asyncio.sleep(0)

    def step(self, seconds: float) -> None:
        """Move without waking anybody; negative steps back."""
        self._now_ms += seconds * 1000
