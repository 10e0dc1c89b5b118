"""An SMPP session, either side: sequences, answers, deadlines, keepalive, unbind (SMPP 3.4, 2.2-2.8)."""

import asyncio
import logging
from collections.abc import Callable
from enum import Enum
from typing import TypeVarTuple

from carillon.smpp.constants import MAX_SEQUENCE, RESPONSE, SLOW_DOWN, Command, Status, status_name
from carillon.smpp.errors import NoRoomError, PduError
from carillon.smpp.link import Link
from carillon.smpp.throttle import Throttle
from carillon.smpp.window import LOST, TIMED_OUT, OnOutcome, Outcome, Window

log = logging.getLogger(__name__)

Args = TypeVarTuple("Args")

_NACK, _ENQUIRE, _UNBIND = int(Command.GENERIC_NACK), int(Command.ENQUIRE_LINK), int(Command.UNBIND)
_ALERT = int(Command.ALERT_NOTIFICATION)
_CONTROL_LIMIT = 8

RequestHandler = Callable[[int, int, bytes], None]
"""command_id, sequence, body; raises `PduError` to refuse."""


class State(Enum):
    """Where a session stands (2.2)."""

    OPEN = "open"
    BINDING = "binding"
    BOUND = "bound"
    UNBINDING = "unbinding"


class Session(Link):
    """What client and server have in common. `window` limits our own unanswered messages, not the peer's."""

    def __init__(
        self,
        *,
        window: int,
        response_timeout_s: float,
        enquire_interval_s: float,
        throttle_pause_s: float = 0,
    ) -> None:
        super().__init__()
        self.state = State.OPEN
        self.system_id = ""
        self.late_answers = 0
        """Answers that matched nothing: too late, or never asked for."""
        self._size = window
        self._response_timeout_s = response_timeout_s
        self._enquire_interval_s = enquire_interval_s
        self._throttle = Throttle(throttle_pause_s, self._make_room)
        self._sequence = 0
        self._window = Window(0)
        self._control = Window(_CONTROL_LIMIT)
        self._owed: dict[int, int] = {}
        self._requests: dict[int, RequestHandler] = {
            _ENQUIRE: self._on_enquire,
            _UNBIND: self._on_unbind,
            _ALERT: lambda *_: None,
        }
        self._room_made = False
        self._unbind: tuple[int, float] | None = None
        self._quiet: asyncio.Future[None] | None = None
        self._tick_s = max(0.01, min(1.0, response_timeout_s / 4, enquire_interval_s / 4))
        self._ticking: asyncio.TimerHandle | None = None

    def __str__(self) -> str:
        return f"{self.system_id or 'unbound'} at {self.peer}"

    # -- hooks ----------------------------------------------------------------------------------------------

    def _on_room(self) -> None:
        """Slots came free: called once for all that one read or tick set free."""

    def _on_tick(self, now_s: float) -> None:
        """Time passed."""

    # -- our requests ---------------------------------------------------------------------------------------

    @property
    def free(self) -> int:
        """How many messages may be sent now; 0 when not bound, throttled, or the peer does not read."""
        return self._window.free

    def _enter(self, state: State) -> None:
        self.state = state
        self._set_limit()

    def _set_limit(self) -> None:
        bound = self.state is State.BOUND and not self.closed
        self._window.limit = self._size if bound and self._writable and not self._throttle.active else 0

    def _send_message(self, command_id: int, body: bytes, on_outcome: OnOutcome) -> int:
        """Send what takes a slot; `NoRoomError` when none is free."""
        if self._window.limit <= len(self._window):
            raise NoRoomError
        return self._send_request(self._window, command_id, body, on_outcome)

    def _send_request(self, table: Window, command_id: int, body: bytes, on_outcome: OnOutcome) -> int:
        sequence = self._sequence % MAX_SEQUENCE + 1
        while sequence in self._window or sequence in self._control:
            sequence = sequence % MAX_SEQUENCE + 1
        self._sequence = sequence
        table.add(sequence, command_id | RESPONSE, self._loop.time() + self._response_timeout_s, on_outcome)
        self.send(command_id, 0, sequence, body)
        return sequence

    # -- the peer's requests --------------------------------------------------------------------------------

    def _receive(self, command_id: int, status: int, sequence: int, body: bytes) -> None:
        if command_id & RESPONSE:
            self._on_answer(command_id, status, sequence, body)
            return
        handler = self._requests.get(command_id)
        if handler is None:
            self.send(_NACK, Status.INVCMDID, sequence)
            return
        try:
            handler(command_id, sequence, body)
        except PduError as error:
            log.info("0x%08x of %s refused: %s", command_id, self, error)
            self._owed.pop(sequence, None)
            self.send(command_id | RESPONSE, error.status, sequence)
        except Exception:
            self._settle(sequence, Status.SYSERR, b"")
            raise

    def _settle(self, sequence: int, status: int, body: bytes) -> bool:
        """Answer a request noted in `_owed`; False when it is not there (answered, or the peer is gone)."""
        command_id = self._owed.pop(sequence, None)
        if command_id is None or self.closed:
            return False
        self.send(command_id | RESPONSE, status, sequence, body)
        if self.state is State.UNBINDING:
            self._check_quiet()
        return True

    def _on_enquire(self, command_id: int, sequence: int, _body: bytes) -> None:
        self.send(command_id | RESPONSE, 0, sequence)

    def _on_unbind(self, _command_id: int, sequence: int, _body: bytes) -> None:
        self._unbind = sequence, self._loop.time() + self._response_timeout_s
        self._enter(State.UNBINDING)
        self._check_quiet()

    # -- answers --------------------------------------------------------------------------------------------

    def _on_answer(self, command_id: int, status: int, sequence: int, body: bytes) -> None:
        if command_id == _NACK and not status:
            status = Status.UNKNOWNERR  # a nack without a status is still no
        on_outcome = self._window.take(sequence, command_id, _NACK)
        if on_outcome is not None:
            self._room_made = True
            if not status:
                self._throttle.accepted()
            elif status in SLOW_DOWN:
                self._throttle.refused()
        else:
            on_outcome = self._control.take(sequence, command_id, _NACK)
            if on_outcome is None:
                self.late_answers += 1
                log.info("0x%08x %d %s of %s answers nothing", command_id, sequence, status_name(status), self)
                return
        on_outcome(Outcome("answered", status, body))

    def _after_read(self) -> None:
        if self._room_made:
            self._room_made = False
            if self.state is State.UNBINDING:
                self._check_quiet()
            elif self._window.limit:
                self._guard(self._on_room)

    def _make_room(self) -> None:
        self._set_limit()
        self._room_made = True
        self._after_read()

    def _flow_changed(self) -> None:
        self._make_room()

    # -- time -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's call: connected."""
        super().connection_made(transport)
        self._ticking = self._loop.call_later(self._tick_s, self._tick)

    def _tick(self) -> None:
        self._ticking = self._loop.call_later(self._tick_s, self._tick)
        now_s = self._loop.time()
        for on_outcome in self._window.expired(now_s):
            self._room_made = True
            self._guard(on_outcome, TIMED_OUT)
        for on_outcome in self._control.expired(now_s):
            self._guard(on_outcome, TIMED_OUT)
        silent = now_s - self._heard_s >= self._enquire_interval_s
        if silent and self.state is State.BOUND and not self._control:
            self._send_request(self._control, _ENQUIRE, b"", self._on_enquire_answer)
        if self._unbind is not None and now_s >= self._unbind[1]:
            self._owed.clear()
            self._check_quiet()
        self._on_tick(now_s)
        self._after_read()

    def _on_enquire_answer(self, outcome: Outcome) -> None:
        if outcome.kind == "timed_out" and self._loop.time() - self._heard_s >= self._response_timeout_s:
            self.close("enquire_link was not answered")

    # -- the end --------------------------------------------------------------------------------------------

    async def unbind_and_close(self, timeout_s: float = 5.0) -> None:
        """Take no more, wait for all answers both ways, unbind (4.2), close; at `timeout_s` close anyway."""
        try:
            async with asyncio.timeout(timeout_s):
                if self.state is State.BOUND and not self.closed:
                    self._enter(State.UNBINDING)
                    self._quiet = self._loop.create_future()
                    self._check_quiet()
                    await asyncio.wait((self._quiet, self._gone), return_when=asyncio.FIRST_COMPLETED)
                    if not self.closed:
                        self._send_request(self._control, _UNBIND, b"", lambda _: self.close("unbound"))
                if self.state is not State.UNBINDING:
                    self.close("closed")
                await self.wait_closed()
        except TimeoutError:
            self.close("unbind timed out")
            self.abort()
            await self.wait_closed()

    def close(self, reason: str) -> None:
        """Write what is waiting, then close at once; what has no answer is `lost`."""
        super().close(reason)
        self._window.limit = 0

    def _check_quiet(self) -> None:
        if self._unbind is not None and not self._owed:
            self.send(_UNBIND | RESPONSE, 0, self._unbind[0])
            self._unbind = None
            self.close("the peer unbound")
        if self._quiet is not None and not self._quiet.done() and not self._owed and not self._window:
            self._quiet.set_result(None)

    def _lost(self, reason: str) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
        self._set_limit()
        for on_outcome in (*self._window.clear(), *self._control.clear()):
            self._guard(on_outcome, LOST)
        self._owed.clear()

    def _guard(self, call: Callable[[*Args], None], *args: *Args) -> None:
        """Call the owner; what it raises must not stop the others from being told."""
        try:
            call(*args)
        except Exception:
            log.exception("a callback of %s failed", self)
