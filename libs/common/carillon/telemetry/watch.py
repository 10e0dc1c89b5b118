"""A part that looks at its own process: how late the event loop is, and whether the services in it are ready."""

import asyncio
import time
from collections.abc import Callable, Mapping

from carillon.telemetry import metrics

_ROUND_S = 0.5


class Watch:
    """`problems` are the services of this process by name: what each says is wrong. `name` labels the loop."""

    def __init__(self, name: str, problems: Mapping[str, Callable[[], Mapping[str, str]]]) -> None:
        self._name = name
        self._problems = problems
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Look every half second."""
        self._task = asyncio.create_task(self._run(), name="watch")

    async def stop(self) -> None:
        """End; what stops is not ready."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for service in self._problems:
            metrics.set_ready(service, False)

    async def _run(self) -> None:
        while True:
            for service, problems in self._problems.items():
                metrics.set_ready(service, not problems())
            due_s = time.monotonic() + _ROUND_S
            await asyncio.sleep(_ROUND_S)
            metrics.record_loop_lag(self._name, max(time.monotonic() - due_s, 0.0))
