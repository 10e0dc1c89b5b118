"""What stands above a bind or a server in tests: it keeps what it hears, and answers when told."""

import asyncio
from collections.abc import Callable
from typing import Any

from carillon.smpp import (
    Bind,
    BindRequest,
    BindSettings,
    Handlers,
    Outcome,
    ServerSession,
    ServerSettings,
    ShortMessage,
    SmppServer,
    Status,
    connect,
)
from carillon.testing.smpp_peer import RawPeer, RawSmsc


class Owner:
    """Keeps what a bind tells it."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.reports: list[tuple[int, ShortMessage]] = []
        self.rooms: list[int] = []
        self.closed: list[str] = []

    def on_answer(self, outcome: Outcome) -> None:
        """A submit ended."""
        self.outcomes.append(outcome)

    def on_deliver(self, _bind: Bind, sequence: int, message: ShortMessage) -> None:
        """A report came; it is not acknowledged."""
        self.reports.append((sequence, message))

    def on_room(self, bind: Bind) -> None:
        """Slots came free."""
        self.rooms.append(bind.free)

    def on_closed(self, _bind: Bind, reason: str) -> None:
        """The bind is gone."""
        self.closed.append(reason)

    async def bind(self, smsc: RawSmsc, **settings: Any) -> tuple[Bind, RawPeer]:
        """Bind to a raw operator: our end and its end."""
        options = {"host": "127.0.0.1", "port": smsc.port, "system_id": "me", "password": "secret", **settings}
        connecting = asyncio.create_task(
            connect(
                BindSettings(**options),
                on_deliver=self.on_deliver,
                on_room=self.on_room,
                on_closed=self.on_closed,
            )
        )
        peer = await smsc.accept_bind()
        return await connecting, peer


class Smsc:
    """A server with its owner. The password is `secret`; the system_id `crash` makes authentication fail."""

    def __init__(self, **settings: Any) -> None:
        self.asked: list[tuple[ServerSession, int, Any]] = []
        self.answers_at_once = True
        self.bound: list[ServerSession] = []
        self.closed: list[str] = []
        self.rooms: list[int] = []
        self.binds: list[tuple[BindRequest, str]] = []
        self.let_in = asyncio.Event()
        self.let_in.set()
        self.handlers = Handlers(
            authenticate=self._authenticate,
            on_submit=self._on_submit,
            on_bound=self.bound.append,
            on_room=lambda session: self.rooms.append(session.free),
            on_closed=lambda _session, reason: self.closed.append(reason),
        )
        self.server = SmppServer(ServerSettings(**{"port": 0, **settings}), self.handlers)

    async def _authenticate(self, bind: BindRequest, peer: str) -> int:
        self.binds.append((bind, peer))
        await self.let_in.wait()
        if bind.system_id == "crash":
            raise ZeroDivisionError
        return 0 if bind.password == "secret" else Status.INVPASWD  # noqa: S105

    def _on_submit(self, session: ServerSession, sequence: int, message: ShortMessage) -> None:
        self.ask(session, sequence, message)
        if self.answers_at_once:
            session.answer_submit(sequence, 0, f"id{len(self.asked)}")

    def ask(self, session: ServerSession, sequence: int, what: object) -> None:
        """A handler that leaves the request open."""
        self.asked.append((session, sequence, what))

    async def raw(self) -> RawPeer:
        """A connection to it that speaks by hand."""
        return await RawPeer.connect(self.server.port)

    async def client(
        self, on_deliver: Callable[[Bind, int, ShortMessage], None] | None = None, **settings: Any
    ) -> Bind:
        """A bind to it of our own."""
        where = {"host": "127.0.0.1", "port": self.server.port, "system_id": "me", "password": "secret"}
        return await connect(BindSettings(**{**where, **settings}), on_deliver=on_deliver or (lambda *_: None))


async def answer_to(submit: Callable[[Callable[[Outcome], None]], object]) -> Outcome:
    """What became of the one message that `submit` sends with the callback it is given."""
    done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    submit(done.set_result)
    return await asyncio.wait_for(done, 10)
