"""One client's connection to our server: authentication, bind states, requests in, deliveries out."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from carillon.smpp.binding import BIND_COMMANDS, BindRequest, decode_bind, encode_bind_answer
from carillon.smpp.constants import RESPONSE, Command, Status
from carillon.smpp.errors import PduError
from carillon.smpp.fields import c_octets
from carillon.smpp.message import (
    ShortMessage,
    check,
    decode_data_sm,
    decode_short_message,
    encode_short_message,
)
from carillon.smpp.operations import (
    Cancel,
    Query,
    Replace,
    SubmitMulti,
    decode_cancel,
    decode_query,
    decode_replace,
    decode_submit_multi,
)
from carillon.smpp.session import RequestHandler, Session, State
from carillon.smpp.window import OnOutcome

log = logging.getLogger(__name__)

T = TypeVar("T")
OnRequest = Callable[["ServerSession", int, T], None]
"""session, sequence, what is asked: `session.answer_submit` or `answer` it, or raise `PduError` to refuse."""

_SUBMIT, _DELIVER = int(Command.SUBMIT_SM), int(Command.DELIVER_SM)
_MESSAGE_ID = 65


@dataclass(slots=True, kw_only=True)
class Handlers:
    """What the owner of a server does. A request without a handler is answered ESME_RINVCMDID."""

    authenticate: Callable[[BindRequest, str], Awaitable[int]]
    """The bind and the client's address; 0, or the status to refuse it with: INVPASWD, INVSYSID, BINDFAIL."""
    on_submit: OnRequest[ShortMessage]
    on_data: OnRequest[ShortMessage] | None = None
    on_multi: OnRequest[SubmitMulti] | None = None
    on_query: OnRequest[Query] | None = None
    on_cancel: OnRequest[Cancel] | None = None
    on_replace: OnRequest[Replace] | None = None
    on_bound: "Callable[[ServerSession], None] | None" = None
    on_room: "Callable[[ServerSession], None] | None" = None
    """Slots for deliveries came free."""
    on_closed: "Callable[[ServerSession, str], None] | None" = None
    """A session that was bound is gone; deliveries without an answer were told `lost` before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """The rules for every session."""

    system_id: str = "carillon"
    """What we call ourselves."""
    window: int = 50
    """Most deliveries without an answer on one session."""
    max_unanswered: int = 0
    """Requests of a client that we have not answered; over it ESME_RTHROTTLED; 0: no limit."""
    bind_timeout_s: float = 30.0
    """Who has not bound by then is cut off (7.2, session_init_timer)."""
    response_timeout_s: float = 30.0
    enquire_interval_s: float = 60.0


class ServerSession(Session):
    """A client. `bound` says who it is, `window` slots limit `deliver`."""

    def __init__(
        self, settings: SessionSettings, handlers: Handlers, sessions: "set[ServerSession]", full: bool
    ) -> None:
        super().__init__(
            window=settings.window,
            response_timeout_s=settings.response_timeout_s,
            enquire_interval_s=settings.enquire_interval_s,
        )
        self.bound: BindRequest | None = None
        """Who bound; stays after the session is gone."""
        self._settings = settings
        self._handlers = handlers
        self._sessions = sessions
        self._full = full
        self._authenticating: asyncio.Task[None] | None = None
        self._bind_by_s = self._loop.time() + settings.bind_timeout_s
        self._requests[_SUBMIT] = self._on_submit
        for command in BIND_COMMANDS.values():
            self._requests[command] = self._on_bind
        self._serve(Command.DATA_SM, decode_data_sm, handlers.on_data)
        self._serve(Command.SUBMIT_MULTI, decode_submit_multi, handlers.on_multi)
        self._serve(Command.QUERY_SM, decode_query, handlers.on_query)
        self._serve(Command.CANCEL_SM, decode_cancel, handlers.on_cancel)
        self._serve(Command.REPLACE_SM, decode_replace, handlers.on_replace)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's call: a client connected."""
        super().connection_made(transport)
        self._sessions.add(self)
        if self._full:
            self.close("too many sessions")

    # -- bind -----------------------------------------------------------------------------------------------

    def _on_bind(self, command_id: int, sequence: int, body: bytes) -> None:
        if self.state is not State.OPEN:
            raise PduError(Status.ALYBND)
        bind = decode_bind(command_id, body)
        self._enter(State.BINDING)
        self._authenticating = self._loop.create_task(self._authenticate(command_id, sequence, bind))

    async def _authenticate(self, command_id: int, sequence: int, bind: BindRequest) -> None:
        try:
            status = await self._handlers.authenticate(bind, self.peer)
        except Exception:
            log.exception("authentication of %s failed", self.peer)
            status = Status.BINDFAIL
        if self.closed:
            return
        if status or self.state is not State.BINDING:
            self.send(command_id | RESPONSE, status or Status.BINDFAIL, sequence)
            self.close(f"bind of {bind.system_id!r} refused")
            return
        self.bound, self.system_id = bind, bind.system_id
        if bind.mode == "transmitter":
            self._size = 0
        self._enter(State.BOUND)
        self.send(command_id | RESPONSE, 0, sequence, encode_bind_answer(self._settings.system_id))
        if self._handlers.on_bound is not None:
            self._guard(self._handlers.on_bound, self)

    # -- requests in ----------------------------------------------------------------------------------------

    @property
    def unanswered(self) -> int:
        """Requests of the client that wait for our answer."""
        return len(self._owed)

    def _admit(self, command_id: int, sequence: int) -> None:
        """Note that an answer is owed; `PduError` when the client may not ask this now."""
        if self.state is not State.BOUND:
            raise PduError(Status.INVBNDSTS if self._unbind or self.bound is None else Status.MSGQFUL)
        if self.bound is None or self.bound.mode == "receiver":
            raise PduError(Status.INVBNDSTS)
        if 0 < self._settings.max_unanswered <= len(self._owed):
            raise PduError(Status.THROTTLED)
        self._owed[sequence] = command_id

    def _on_submit(self, command_id: int, sequence: int, body: bytes) -> None:
        self._admit(command_id, sequence)
        message = decode_short_message(body)
        check(message)
        if message.bad_tlv:
            raise PduError(Status.INVOPTPARSTREAM)
        self._handlers.on_submit(self, sequence, message)

    def _serve(self, command: Command, decode: Callable[[bytes], T], on_request: OnRequest[T] | None) -> None:
        def refuse(_command_id: int, _sequence: int, _body: bytes) -> None:
            raise PduError(Status.INVCMDID)

        def serve(command_id: int, sequence: int, body: bytes) -> None:
            self._admit(command_id, sequence)
            assert on_request is not None
            on_request(self, sequence, decode(body))

        handler: RequestHandler = refuse if on_request is None else serve
        self._requests[int(command)] = handler

    def answer_submit(self, sequence: int, status: int, message_id: str = "") -> bool:
        """Answer a submit_sm or data_sm; False when it was answered before or the client is gone.

        An error has no body (4.4.2).
        """
        return self._settle(sequence, status, b"" if status else c_octets(message_id, _MESSAGE_ID))

    def answer(self, sequence: int, status: int = 0, body: bytes = b"") -> bool:
        """Answer any other request; `body` by an `encode_..._answer`, empty for cancel and replace."""
        return self._settle(sequence, status, b"" if status else body)

    # -- deliveries out -------------------------------------------------------------------------------------

    @property
    def can_receive(self) -> bool:
        """It is bound as receiver or transceiver."""
        return self.state is State.BOUND and self._size > 0

    def deliver(self, message: ShortMessage | bytes, on_ack: OnOutcome) -> int:
        """Send a deliver_sm (bytes: its encoded body); `NoRoomError` when `free` is 0.

        `on_ack` is called once, see `Bind.submit`; what was not `ok` should be sent again.
        """
        body = message if isinstance(message, bytes) else encode_short_message(message)
        return self._send_message(_DELIVER, body, on_ack)

    def _on_room(self) -> None:
        if self._handlers.on_room is not None:
            self._handlers.on_room(self)

    # -- the rest -------------------------------------------------------------------------------------------

    def _flow_changed(self) -> None:
        """A client that does not read its answers is not read either."""
        super()._flow_changed()
        if self._transport is not None and not self.closed:
            if self._writable:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _on_tick(self, now_s: float) -> None:
        if self.bound is None and now_s >= self._bind_by_s:
            self.close("did not bind in time")

    def _lost(self, reason: str) -> None:
        super()._lost(reason)
        self._sessions.discard(self)
        if self._authenticating is not None:
            self._authenticating.cancel()
        if self.bound is not None and self._handlers.on_closed is not None:
            self._guard(self._handlers.on_closed, self, reason)
