"""The operator: who may bind, who is bound, and what is asked of it on demand."""

import hmac

from carillon.runtime.clock import Clock
from carillon.smpp import BindRequest, Handlers, ServerSession, ServerSettings, SmppServer, Status
from simulator.domain.admission import Admission
from simulator.domain.books import Books
from simulator.domain.faults import Faults
from simulator.intake import Intake
from simulator.outbox import Outbox
from simulator.reporting import Reporting
from simulator.settings import Settings

_STOP_S = 2.0


class Operator:
    """A part of the process: an SMPP server on its port, and everything behind it."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.alphabet = settings.simulator_alphabet
        self._password = settings.simulator_password.get_secret_value().encode()
        self._first_faults = Faults(
            receipt_delay_s=settings.simulator_receipt_delay_s,
            no_tlvs=not settings.simulator_tlvs,
            rules=settings.simulator_rules,
        )
        self.books = Books(settings.simulator_kept_messages)
        self.outboxes = {name: Outbox(self.books) for name in sorted(settings.system_ids)}
        self.reporting = Reporting(self.books, self.outboxes)
        self._admission = Admission(self._first_faults)
        self._intake = Intake(self.books, self._admission, self.reporting, clock)
        self._listening = False
        self._bound: set[ServerSession] = set()
        self._server = SmppServer(
            ServerSettings(
                system_id="simulator",
                host=settings.simulator_smpp_host,
                port=settings.simulator_smpp_port,
                window=settings.simulator_window,
            ),
            self._handlers(),
        )

    async def start(self) -> None:
        """Listen."""
        await self._server.start()
        self._listening = True

    async def stop(self) -> None:
        """Answer what was delayed, unbind everybody."""
        self._listening = False
        self._intake.flush()
        self.reporting.clear()
        await self._server.stop(_STOP_S)

    def problems(self) -> dict[str, str]:
        """What keeps it from being ready."""
        return {} if self._listening else {"smpp": "not listening"}

    @property
    def port(self) -> int:
        """The SMPP port that it listens on."""
        return self._server.port

    @property
    def faults(self) -> Faults:
        """What goes wrong at present."""
        return self._admission.faults

    def set_faults(self, given: dict[str, object], *, over: Faults | None = None) -> Faults:
        """Put what is given over `over`, by default the faults of the start; pydantic's `ValidationError`."""
        base = self._first_faults if over is None else over
        self._admission.faults = Faults.model_validate({**base.model_dump(), **given})
        return self._admission.faults

    def reset(self, *, keep_faults: bool = False) -> None:
        """Forget messages, counters and reports to come. Faults are as at the start; binds stay."""
        self.reporting.clear()
        self.books.forget()
        for outbox in self.outboxes.values():
            outbox.clear()
        if not keep_faults:
            self._admission.faults = self._first_faults

    def drop_links(self) -> int:
        """Close every bind at once, without unbinding; how many."""
        dropped = tuple(self._bound)
        for session in dropped:
            session.close("dropped on demand")
        self.books.counters.links_dropped += len(dropped)
        return len(dropped)

    def binds(self) -> dict[str, int]:
        """How many binds each system id has now."""
        counts = dict.fromkeys(self.outboxes, 0)
        for session in self._bound:
            counts[session.system_id] += 1
        return counts

    def _handlers(self) -> Handlers:
        return Handlers(
            authenticate=self._authenticate,
            on_submit=self._intake.on_submit,
            on_data=self._intake.on_data,
            on_bound=self._on_bound,
            on_room=lambda session: self.outboxes[session.system_id].pump(),
            on_closed=self._on_closed,
        )

    async def _authenticate(self, bind: BindRequest, _peer: str) -> int:
        if bind.system_id not in self.outboxes:
            status = Status.INVSYSID
        elif not hmac.compare_digest(bind.password.encode(), self._password):
            status = Status.INVPASWD
        else:
            return Status.OK
        self.books.counters.binds_refused += 1
        return status

    def _on_bound(self, session: ServerSession) -> None:
        self._bound.add(session)
        self.books.counters.binds_total += 1
        if session.can_receive:
            self.outboxes[session.system_id].attach(session)

    def _on_closed(self, session: ServerSession, _reason: str) -> None:
        self._bound.discard(session)
        self.outboxes[session.system_id].detach(session)
