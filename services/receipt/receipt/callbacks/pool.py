"""The connections to one client: so many at most, kept between calls, with one timer for all time-outs."""

import asyncio
from collections import deque
from collections.abc import Callable

from receipt.callbacks.client import ATTEMPT_S, Connection, Connector, Outcome
from receipt.callbacks.targets import Origin

CONNECTIONS = 32
_IDLE_S = 15.0
_SWEEP_S = 0.5


class Call:
    """A request, written when it is sent. `done` is called once, unless the call was withdrawn before it was sent."""

    __slots__ = ("done", "started", "tries", "withdrawn", "write")

    def __init__(self, write: Callable[[], bytes], done: Callable[[Outcome], None]) -> None:
        self.write = write
        self.done = done
        self.started = False
        self.withdrawn = False
        self.tries = 0


class Pool:
    """Calls go out in the order in which they were put, on as few connections as they need."""

    def __init__(self, origin: Origin, connector: Connector, *, attempt_s: float = ATTEMPT_S) -> None:
        self._origin = origin
        self._connector = connector
        self._attempt_s = attempt_s
        self._waiting: deque[Call] = deque()
        self._idle: list[Connection] = []
        self._calls: dict[Connection, Call] = {}
        self._connecting: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._closing = False

    def put(self, call: Call) -> None:
        """Send it as soon as a connection is free."""
        self._waiting.append(call)
        self._pump()

    def close(self) -> None:
        """Let every connection go; calls under way fail."""
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        for task in self._connecting:
            task.cancel()
        for connection in [*self._idle, *self._calls]:
            connection.abort("the service is stopping")
        self._fail_waiting("the service is stopping")

    def _pump(self) -> None:
        """Give waiting calls to idle connections; open more where that does not suffice."""
        waiting, idle = self._waiting, self._idle
        while waiting:
            if waiting[0].withdrawn:
                waiting.popleft()
            elif idle:
                connection = idle.pop()
                if connection.requests and waiting[0].tries:
                    connection.close()  # a call that met a stale connection is not sent on another old one
                elif connection.is_open:
                    self._start(connection, waiting.popleft())
            else:
                self._open_more()
                return

    def _start(self, connection: Connection, call: Call) -> None:
        call.started = True
        call.tries += 1
        self._calls[connection] = call
        connection.send(call.write(), self._finished)
        if self._timer is None:
            self._timer = self._loop.call_later(_SWEEP_S, self._sweep)

    def _finished(self, connection: Connection, outcome: Outcome) -> None:
        call = self._calls.pop(connection)
        if outcome.status == 0 and connection.is_stale and call.tries == 1 and not self._closing:
            self._waiting.appendleft(call)  # the server had closed the kept connection: once more, on another
        else:
            call.done(outcome)
        if connection.is_open and not self._closing:
            self._idle.append(connection)
        self._pump()

    def _closed(self, connection: Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)

    def _open_more(self) -> None:
        free = CONNECTIONS - len(self._calls) - len(self._idle) - len(self._connecting)
        if free <= 0:
            return
        for _ in range(min(free, len(self._waiting) - len(self._connecting))):
            task = self._loop.create_task(self._connect())
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connect(self) -> None:
        try:
            connection = await self._connector.connect(self._origin, self._closed)
        except (OSError, TimeoutError, ValueError) as error:
            if not self._calls and not self._idle:
                self._fail_waiting(f"no connection: {str(error) or type(error).__name__}")
            return
        if self._closing:
            connection.close()
            return
        self._idle.append(connection)
        if self._timer is None:
            self._timer = self._loop.call_later(_SWEEP_S, self._sweep)
        self._pump()

    def _fail_waiting(self, error: str) -> None:
        failed, self._waiting = self._waiting, deque()
        for call in failed:
            if not call.withdrawn:
                call.done(Outcome(0, error))

    def _sweep(self) -> None:
        """Time out what takes too long, let go what has not been used for a while."""
        now_s = self._loop.time()
        for connection in [one for one in self._calls if now_s - one.sent_s > self._attempt_s]:
            connection.abort(f"no answer within {self._attempt_s:g} s")
        for connection in [one for one in self._idle if now_s - one.sent_s > _IDLE_S and one.requests]:
            self._idle.remove(connection)
            connection.close()
        busy = self._calls or self._idle
        self._timer = self._loop.call_later(_SWEEP_S, self._sweep) if busy else None
