"""What goes to the clients of one system id, over any bind that can receive, until it is acknowledged."""

import asyncio
from collections import deque
from functools import partial

from carillon.smpp import NoRoomError, Outcome, ServerSession
from carillon.smpp.message import ShortMessage, encode_short_message
from simulator.domain.books import Books
from simulator.domain.counters import Counters
from simulator.domain.receipt_text import Report, encode_report
from simulator.wheel import Wheel

MAX_WAITING = 500_000
RETRY_S = 5.0
MAX_TRIES = 10


class Inbound:
    """A message from a handset; `acknowledged` gets the client's command_status."""

    def __init__(self, message: ShortMessage) -> None:
        self.body = encode_short_message(message)
        self.acknowledged: asyncio.Future[int] = asyncio.get_running_loop().create_future()


class Outbox:
    """Sends in order. What is lost or times out goes first again; a report that is refused comes again `RETRY_S` later.

    Beyond `MAX_WAITING` the oldest are dropped and counted: a client that never binds must not fill the memory.
    """

    def __init__(self, books: Books) -> None:
        self.waiting: deque[Report | Inbound] = deque()
        self.sessions: list[ServerSession] = []
        self._books = books
        self._refused: Wheel[Report] = Wheel(self._put_again)

    def put(self, parcel: Report | Inbound) -> None:
        """Add at the end; `pump` sends."""
        if len(self.waiting) >= MAX_WAITING:
            self.waiting.popleft()
            self._books.counters.receipts_dropped += 1
        self.waiting.append(parcel)

    def attach(self, session: ServerSession) -> None:
        """A client bound and can receive."""
        self.sessions.append(session)
        self.pump()

    def detach(self, session: ServerSession) -> None:
        """It is gone; the others take over."""
        if session in self.sessions:
            self.sessions.remove(session)
            self.pump()

    def pump(self) -> None:
        """Send while something waits and a window has room; the bind with most room goes first."""
        while self.waiting:
            session = max(self.sessions, key=_room, default=None)
            room = session.free if session is not None else 0
            if session is None or not room:
                return
            self.sessions.remove(session)
            self.sessions.append(session)  # of those with equal room it comes last
            for _ in range(min(room, len(self.waiting))):
                self._send(session, self.waiting.popleft())

    def clear(self) -> None:
        """Forget what waits; what is on the wire is forgotten because the books were begun anew."""
        self._refused.clear()
        self.waiting.clear()

    def _send(self, session: ServerSession, parcel: Report | Inbound) -> None:
        counters = self._books.counters
        settled = partial(self._settled, counters, parcel)
        try:
            if isinstance(parcel, Report):
                session.deliver(encode_report(parcel), settled)
                counters.receipts_sent += 1
            else:
                session.deliver(parcel.body, settled)
                counters.inbound_sent += 1
        except NoRoomError:  # it closed between two
            self.waiting.appendleft(parcel)

    def _settled(self, counters: Counters, parcel: Report | Inbound, outcome: Outcome) -> None:
        if counters is not self._books.counters:  # sent before a reset
            return
        if outcome.kind != "answered":
            self.waiting.appendleft(parcel)
        elif isinstance(parcel, Inbound):
            counters.inbound_acked += outcome.ok
            if not parcel.acknowledged.done():
                parcel.acknowledged.set_result(outcome.status)
        elif outcome.ok:
            counters.receipts_acked += 1
        else:
            self._again(parcel)

    def _again(self, report: Report) -> None:
        self._books.counters.receipts_refused += 1
        report.tries += 1
        if report.tries < MAX_TRIES:
            self._refused.add(RETRY_S, report)
        else:
            self._books.counters.receipts_dropped += 1

    def _put_again(self, reports: list[Report]) -> None:
        for report in reports:
            self.put(report)
        self.pump()


def _room(session: ServerSession) -> int:
    return session.free
