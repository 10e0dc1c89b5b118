"""Keeps one bind up: connects, waits for its end, waits a little, connects again."""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass

from carillon.smpp.client import Bind, BindSettings, OnDeliver, connect
from carillon.smpp.errors import BindRefusedError, PduError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits between attempts: doubling from `first_s` to `max_s`, each drawn from its upper half.

    Only a bind that lived longer than `max_s` starts the row again: an operator that takes us and drops us
    is not hammered.
    """

    first_s: float = 0.5
    max_s: float = 30.0

    def wait_s(self, attempt: int) -> float:
        """Seconds before attempt number `attempt` (1, 2, ...)."""
        ceiling_s = min(self.max_s, self.first_s * 2.0 ** min(attempt - 1, 30))
        return ceiling_s * random.uniform(0.5, 1.0)  # noqa: S311


class KeepBound:
    """Owns one bind slot. `on_bound` and `on_lost` come in turn, never twice the same."""

    def __init__(
        self,
        settings: BindSettings,
        *,
        on_deliver: OnDeliver,
        on_bound: Callable[[Bind], None],
        on_lost: Callable[[Bind, str], None] | None = None,
        on_room: Callable[[Bind], None] | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self.settings = settings
        self.bind: Bind | None = None
        """The live bind, if any."""
        self.problem = "not connected yet"
        """Why there is no bind; empty while there is one."""
        self._on_deliver = on_deliver
        self._on_bound = on_bound
        self._on_lost = on_lost
        self._on_room = on_room
        self._backoff = backoff or Backoff()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to connect; does not wait until it is done."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep(), name=f"smpp bind {self.settings.system_id}")

    async def stop(self, timeout_s: float = 5.0) -> None:
        """Unbind cleanly, answers awaited up to `timeout_s`, and stay away."""
        task, self._task = self._task, None
        if task is None:
            return
        if self.bind is not None:
            await self.bind.unbind_and_close(timeout_s)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self.problem = "stopped"

    async def _keep(self) -> None:
        attempt = 0
        where = f"{self.settings.system_id} at {self.settings.host}:{self.settings.port}"
        while self._task is not None:
            started_s = asyncio.get_running_loop().time()
            try:
                bind = await connect(
                    self.settings, on_deliver=self._on_deliver, on_room=self._on_room, on_closed=self._closed
                )
            except (OSError, BindRefusedError, PduError, ValueError) as error:
                self.problem = str(error) or type(error).__name__
                log.warning("cannot bind %s: %s", where, self.problem)
            else:
                await self._hold(bind, where)
            if asyncio.get_running_loop().time() - started_s > self._backoff.max_s:
                attempt = 0
            attempt += 1
            await asyncio.sleep(self._backoff.wait_s(attempt))

    async def _hold(self, bind: Bind, where: str) -> None:
        if bind.closed:  # dropped us before this task woke up: neither on_bound nor on_lost
            self.problem = await bind.wait_closed()
            return
        self.bind, self.problem = bind, ""
        log.info("bound %s as %s", where, bind.settings.mode)
        try:
            self._on_bound(bind)
        except Exception:
            log.exception("on_bound failed, %s", where)
        self.problem = await bind.wait_closed()
        log.info("lost bind %s: %s", where, self.problem)

    def _closed(self, bind: Bind, reason: str) -> None:
        if self.bind is bind:
            self.bind, self.problem = None, reason
            if self._on_lost is not None:
                self._on_lost(bind, reason)
