"""An SMPP operator for tests: counts what it took, answers as it is told, reports when it is asked to."""

import asyncio
from collections import Counter
from collections.abc import Callable

from carillon.smpp.binding import BindRequest
from carillon.smpp.constants import EsmClass, Status, Tag
from carillon.smpp.message import ShortMessage
from carillon.smpp.server import ServerSettings, SmppServer
from carillon.smpp.server_session import Handlers, ServerSession
from carillon.smpp.window import Outcome


class ScriptedOperator:
    """`answer(message)` gives the status of each submit_sm, or None: it is never answered.

    Answers leave after `delay_s`.
    """

    def __init__(self, *, port: int = 0, reports: bool = False) -> None:
        self.answer: Callable[[ShortMessage], int | None] = lambda _: 0
        self.delay_s = 0.0
        self.submits: list[ShortMessage] = []
        self.taken: Counter[str] = Counter()
        self.report_answers: list[int] = []
        self._reports = reports
        self._next_id = 0
        self._port = port
        self._server: SmppServer | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        return self._server.port

    async def start(self) -> None:
        """Listen."""
        handlers = Handlers(authenticate=_authenticate, on_submit=self._on_submit)
        self._server = SmppServer(ServerSettings(port=self._port), handlers)
        await self._server.start()
        self._port = self._server.port

    async def stop(self) -> None:
        """Unbind everybody and stop listening; `start` listens on the same port again."""
        assert self._server is not None
        await self._server.stop(1.0)

    @property
    def binds(self) -> int:
        """Clients that are bound now."""
        assert self._server is not None
        return sum(session.bound is not None for session in self._server.sessions)

    def cut(self) -> None:
        """Drop every connection without a word."""
        assert self._server is not None
        for session in tuple(self._server.sessions):
            session.close("cut by the test")

    def report(self, ref: str, number: str, state: str = "DELIVRD") -> None:
        """Send a delivery report on any bind that can receive."""
        text = f"id:{ref} sub:001 dlvrd:001 submit date:2611221436 done date:2611221436 stat:{state} err:000 text:"
        message = ShortMessage(
            source_ton=1,
            source_npi=1,
            source_addr=number,
            dest_addr="Carillon",
            esm_class=EsmClass.RECEIPT,
            short_message=text.encode(),
            tlvs={Tag.RECEIPTED_MESSAGE_ID: ref.encode() + b"\0"},
        )
        self.deliver(message)

    def deliver(self, message: ShortMessage) -> None:
        """Send a deliver_sm on any bind that can receive; its answer's status is kept in `report_answers`."""
        assert self._server is not None

        def on_ack(outcome: Outcome) -> None:
            if outcome.kind == "answered":
                self.report_answers.append(outcome.status)

        session = next(session for session in self._server.sessions if session.can_receive)
        session.deliver(message, on_ack)

    def _on_submit(self, session: ServerSession, sequence: int, message: ShortMessage) -> None:
        self.submits.append(message)
        status = self.answer(message)
        if status is None:
            return
        self._next_id += 1
        ref = str(self._next_id)
        if status == 0:
            self.taken[message.dest_addr] += 1
        said = ref if status == 0 else ""
        if self.delay_s:
            asyncio.get_running_loop().call_later(self.delay_s, session.answer_submit, sequence, status, said)
        else:
            session.answer_submit(sequence, status, said)
        if status == 0 and self._reports:
            asyncio.get_running_loop().call_later(0.01, self.report, ref, message.dest_addr)


async def _authenticate(bind: BindRequest, _peer: str) -> int:
    return 0 if bind.system_id == "carillon" else Status.INVSYSID
