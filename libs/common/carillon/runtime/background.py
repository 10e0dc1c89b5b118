"""A part that does one thing again and again: sweepers, renewals, watchers."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger(__name__)


class Every:
    """Runs `work` each `seconds`; a failure is logged and the next round comes all the same."""

    def __init__(self, name: str, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        self.name = name
        self._seconds = seconds
        self._work = work
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin; the first round starts at once, in the background."""
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        """End between two rounds, or in the middle of one: `work` must bear being cancelled."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self._work()
            except Exception:
                log.warning("background.failed", work=self.name, exc_info=True)
            await asyncio.sleep(self._seconds)
