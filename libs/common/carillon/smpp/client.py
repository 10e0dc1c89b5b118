"""Our side towards an operator: one bind over which messages go out and reports come in (SMPP 3.4, 2.2)."""

import asyncio
import logging
import ssl as tls
from collections.abc import Callable
from dataclasses import dataclass, field

from carillon.smpp.binding import BIND_COMMANDS, BindMode, BindRequest, encode_bind
from carillon.smpp.constants import Command, Status
from carillon.smpp.errors import BindRefusedError, PduError
from carillon.smpp.message import (
    ShortMessage,
    decode_data_sm,
    decode_short_message,
    encode_data_sm,
    encode_short_message,
)
from carillon.smpp.session import Session, State
from carillon.smpp.window import OnOutcome, Outcome

log = logging.getLogger(__name__)

_SUBMIT, _DATA, _DELIVER = int(Command.SUBMIT_SM), int(Command.DATA_SM), int(Command.DELIVER_SM)


@dataclass(frozen=True, slots=True, kw_only=True)
class BindSettings:
    """How to reach an operator and what was agreed with it."""

    host: str
    port: int
    system_id: str
    password: str = field(default="", repr=False)
    system_type: str = ""
    mode: BindMode = "transceiver"
    ssl: tls.SSLContext | None = None
    server_hostname: str | None = None
    """Name expected in the operator's certificate, when it is not `host`."""
    window: int = 10
    """Most messages without an answer on this bind (2.7)."""
    max_unacknowledged: int = 5_000
    """Reports taken and not yet acknowledged; over it they are refused for now, and come again."""
    connect_timeout_s: float = 10.0
    response_timeout_s: float = 30.0
    enquire_interval_s: float = 30.0
    """Silence after which the operator is asked whether it lives."""
    throttle_pause_s: float = 1.0
    """First pause when the operator says slow down; doubles up to 16 times; 0: none."""


OnDeliver = Callable[["Bind", int, ShortMessage], None]
"""bind, sequence, a deliver_sm or data_sm: make it durable, then `bind.acknowledge(sequence)`."""


class Bind(Session):
    """A bound connection; made by `connect`. Single-threaded: call it from its event loop."""

    def __init__(
        self,
        settings: BindSettings,
        on_deliver: OnDeliver,
        on_room: "Callable[[Bind], None] | None" = None,
        on_closed: "Callable[[Bind, str], None] | None" = None,
    ) -> None:
        super().__init__(
            window=settings.window if settings.mode != "receiver" else 0,
            response_timeout_s=settings.response_timeout_s,
            enquire_interval_s=settings.enquire_interval_s,
            throttle_pause_s=settings.throttle_pause_s,
        )
        self.settings = settings
        self.system_id = settings.system_id
        self.operator_system_id = ""
        """What the operator calls itself (4.1.2)."""
        self._deliver = on_deliver
        self._room = on_room
        self._tell_closed = on_closed
        self._was_bound = False
        self._requests[_DELIVER] = self._on_deliver
        self._requests[_DATA] = self._on_deliver

    # -- messages out ---------------------------------------------------------------------------------------

    def submit(self, message: ShortMessage | bytes, on_answer: OnOutcome) -> int:
        """Send a submit_sm (bytes: its encoded body); the sequence number it went out with.

        `on_answer` is called exactly once: `answered` with the operator's status and id, `timed_out`, or
        `lost`. Raises `NoRoomError` (see `free`) and `PduError` (a field does not fit): then nothing was sent
        and nothing is called.
        """
        body = message if isinstance(message, bytes) else encode_short_message(message)
        return self._send_message(_SUBMIT, body, on_answer)

    def submit_data(self, message: ShortMessage, on_answer: OnOutcome) -> int:
        """Send a data_sm; otherwise as `submit`."""
        return self._send_message(_DATA, encode_data_sm(message), on_answer)

    def request(self, command_id: int, body: bytes, on_answer: OnOutcome) -> int:
        """Send any other request that takes a slot: query_sm, cancel_sm, replace_sm, submit_multi."""
        return self._send_message(command_id, body, on_answer)

    def _on_room(self) -> None:
        if self._room is not None:
            self._room(self)

    # -- reports in -----------------------------------------------------------------------------------------

    @property
    def unacknowledged(self) -> int:
        """Reports that came and were not acknowledged."""
        return len(self._owed)

    def acknowledge(self, sequence: int, status: int = 0) -> bool:
        """Answer a deliver_sm or data_sm, once it is durable; False when the bind is gone: it comes again."""
        return self._settle(sequence, status, b"\0")

    def _on_deliver(self, command_id: int, sequence: int, body: bytes) -> None:
        if self.state is not State.BOUND:
            raise PduError(Status.X_T_APPN if self._was_bound else Status.INVBNDSTS)
        if len(self._owed) >= self.settings.max_unacknowledged:
            raise PduError(Status.X_T_APPN, "too many unacknowledged reports")
        message = decode_short_message(body) if command_id == _DELIVER else decode_data_sm(body)
        if message.bad_tlv:
            log.warning("malformed optional parameters in 0x%08x of %s: mandatory part kept", command_id, self)
        self._owed[sequence] = command_id
        self._deliver(self, sequence, message)

    # -- beginning and end ----------------------------------------------------------------------------------

    async def _bind(self) -> None:
        done: asyncio.Future[Outcome] = self._loop.create_future()

        def answered(outcome: Outcome) -> None:
            if outcome.ok and not done.done():
                self.operator_system_id = outcome.message_id
                self._was_bound = True
                self._enter(State.BOUND)  # at once: reports may follow in the same segment
            if not done.done():
                done.set_result(outcome)

        s = self.settings
        body = encode_bind(BindRequest(s.system_id, s.password, s.mode, s.system_type))
        self._enter(State.BINDING)
        self._send_request(self._control, BIND_COMMANDS[s.mode], body, answered)
        outcome = await done
        if outcome.kind == "timed_out":
            raise TimeoutError("bind was not answered")
        if outcome.kind == "lost":
            raise ConnectionError("connection closed during bind")
        if outcome.status:
            raise BindRefusedError(outcome.status)

    def _lost(self, reason: str) -> None:
        super()._lost(reason)
        if self._was_bound and self._tell_closed is not None:
            self._guard(self._tell_closed, self, reason)


async def connect(
    settings: BindSettings,
    *,
    on_deliver: OnDeliver,
    on_room: Callable[[Bind], None] | None = None,
    on_closed: Callable[[Bind, str], None] | None = None,
) -> Bind:
    """Connect and bind. Raises `OSError`, `BindRefusedError`, or `PduError`: a setting does not fit.

    `on_room` is called when slots of the window come free, `on_closed` once when the bind is gone, after
    every unanswered message was told `lost`.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(settings.connect_timeout_s):
        _, bind = await loop.create_connection(
            lambda: Bind(settings, on_deliver, on_room, on_closed),
            settings.host,
            settings.port,
            ssl=settings.ssl,
            server_hostname=(settings.server_hostname or settings.host) if settings.ssl else None,
        )
        try:
            await bind._bind()  # noqa: SLF001
        except BaseException:
            bind.close("bind failed")
            raise
    return bind
