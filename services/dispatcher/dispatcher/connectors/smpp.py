"""An operator over SMPP 3.4: the binds that this process holds, a real window on each, reports and inbound SMS."""

import asyncio
import ssl
from collections.abc import Callable

import structlog

from carillon.events.report import InboundReceived, ReportReceived
from carillon.runtime.clock import Clock
from carillon.smpp.binding import BindMode
from carillon.smpp.client import Bind, BindSettings
from carillon.smpp.constants import Tag, status_name, verdict
from carillon.smpp.errors import NoRoomError, PduError
from carillon.smpp.keep_bound import KeepBound
from carillon.smpp.message import ShortMessage
from carillon.smpp.window import Outcome
from carillon.sms.data_coding import decode_text
from carillon.sms.refs import report_ref, submit_ref
from carillon.sms.reports import is_report_text, parse_report
from carillon.telemetry import metrics
from dispatcher.connectors.port import Answer, Inbox, OnAnswer, OutgoingPart
from dispatcher.connectors.smpp_encoding import short_message
from dispatcher.domain.operators import Operator
from dispatcher.domain.refusals import refusal_code

log = structlog.get_logger(__name__)

_MODES: dict[str, tuple[BindMode, ...]] = {
    "transceiver": ("transceiver",),
    "transmitter+receiver": ("transmitter", "receiver"),
}


class SmppConnector:
    """See `connectors.port.Connector`. A bind whose lease has run out is not used, whatever its state."""

    def __init__(self, operator: Operator, inbox: Inbox, may_use: Callable[[int], bool], clock: Clock) -> None:
        self._operator = operator
        self._inbox = inbox
        self._may_use = may_use
        self._clock = clock
        self._kept: dict[int, list[KeepBound]] = {}
        self._sending: list[tuple[int, Bind]] = []
        self._turn = 0
        self.on_room: Callable[[], None] = lambda: None

    async def hold(self, numbers: set[int], grace_s: float) -> None:
        """Open and close binds until these are held."""
        for number in numbers - self._kept.keys():
            self._kept[number] = [self._keep(number, settings) for settings in self._settings()]
            for kept in self._kept[number]:
                await kept.start()
        gone = [self._kept.pop(number) for number in self._kept.keys() - numbers]
        self._sending = [(number, bind) for number, bind in self._sending if number in numbers]
        await asyncio.gather(*(kept.stop(grace_s) for binds in gone for kept in binds))
        metrics.set_binds_up(self._operator.name, self.binds_up())

    def room(self) -> int:
        """Free slots of the windows of the binds that may be used."""
        return sum(bind.free for number, bind in self._sending if self._may_use(number))

    def window(self) -> int:
        """All slots of those binds."""
        return self._operator.window * len(self._sending)

    def binds_up(self) -> int:
        """Binds that can send."""
        return len(self._sending)

    def submit(self, part: OutgoingPart, on_answer: OnAnswer) -> None:
        """Send on the bind with room whose turn it is."""

        def answered(outcome: Outcome) -> None:
            on_answer(self._answer(outcome))

        try:
            bind = self._next_bind()
            if bind is None:
                on_answer(Answer("temporary", detail="no bind with room"))
                return
            bind.submit(short_message(part), answered)
        except NoRoomError:
            on_answer(Answer("temporary", detail="no room on the bind"))
        except PduError as error:
            on_answer(Answer("refused", code="unsendable", detail=str(error)))

    def _next_bind(self) -> Bind | None:
        binds = self._sending
        for _ in range(len(binds)):
            self._turn = (self._turn + 1) % len(binds)
            number, bind = binds[self._turn]
            if bind.free > 0 and self._may_use(number):
                return bind
        return None

    def _answer(self, outcome: Outcome) -> Answer:
        if outcome.kind != "answered":
            return Answer("unanswered")
        if outcome.status == 0:
            ref = outcome.message_id
            return Answer("taken", ref=submit_ref(self._operator.report_id, ref) if ref else None)
        meaning = verdict(outcome.status)
        detail = status_name(outcome.status)
        if meaning == "slow_down":
            return Answer("throttled", detail=detail)
        if meaning == "retry":
            return Answer("temporary", detail=detail)
        return Answer("refused", code=refusal_code(outcome.status), detail=detail)

    # -- binds ----------------------------------------------------------------------------------------------

    def _settings(self) -> list[BindSettings]:
        operator = self._operator
        return [
            BindSettings(
                host=operator.host,
                port=operator.port,
                system_id=operator.system_id,
                password=operator.password or "",
                system_type=operator.system_type,
                mode=mode,
                ssl=_tls(operator),
                window=operator.window,
                response_timeout_s=operator.answer_timeout_s,
                throttle_pause_s=0,  # the line slows down: it knows all binds and both lanes
            )
            for mode in _MODES[operator.bind]
        ]

    def _keep(self, number: int, settings: BindSettings) -> KeepBound:
        sends = settings.mode != "receiver"

        def bound(bind: Bind) -> None:
            if sends and number in self._kept:
                self._sending.append((number, bind))
                metrics.set_binds_up(self._operator.name, self.binds_up())
                self.on_room()

        def lost(bind: Bind, reason: str) -> None:
            log.warning("bind.lost", operator=self._operator.name, bind=number, reason=reason)
            self._sending = [entry for entry in self._sending if entry[1] is not bind]
            metrics.set_binds_up(self._operator.name, self.binds_up())

        return KeepBound(
            settings,
            on_deliver=self._on_deliver,
            on_bound=bound,
            on_lost=lost,
            on_room=lambda _: self.on_room(),
        )

    # -- what the operator sends ----------------------------------------------------------------------------

    def _on_deliver(self, bind: Bind, sequence: int, message: ShortMessage) -> None:
        def acknowledge(durable: bool) -> None:
            bind.acknowledge(sequence, 0 if durable else 0x64)  # ESME_RX_T_APPN: send it again later

        octets = message.user_data
        if message.is_report or (not message.has_udh and is_report_text(octets)):
            self._inbox.report(self._report(message, octets), acknowledge)
        else:
            self._inbox.inbound(self._inbound(message, octets), acknowledge)

    def _report(self, message: ShortMessage, octets: bytes) -> ReportReceived:
        report = parse_report(
            octets,
            receipted_id=message.tlv_text(Tag.RECEIPTED_MESSAGE_ID),
            message_state=message.tlv_int(Tag.MESSAGE_STATE),
            network_error=message.tlvs.get(Tag.NETWORK_ERROR_CODE),
            errors=self._operator.errors,
        )
        return ReportReceived(
            operator=self._operator.name,
            ref=report_ref(self._operator.report_id, report.ref),
            state=report.state,
            error=report.error,
            raw_error=report.raw_error,
            number=message.source_addr.lstrip("+"),
            at=self._clock.now_ms(),
            done_at=report.done_at,
        )

    def _inbound(self, message: ShortMessage, octets: bytes) -> InboundReceived:
        header = octets[: octets[0] + 1] if message.has_udh and octets else b""
        body = octets[len(header) :]
        text = decode_text(body, message.data_coding, self._operator.default_alphabet)
        return InboundReceived(
            id=1,
            operator=self._operator.name,
            number=message.source_addr.lstrip("+"),
            to=message.dest_addr.lstrip("+"),
            text=text,
            data=body.hex() if text is None else None,
            udh=header.hex() or None,
            data_coding=message.data_coding,
            at=self._clock.now_ms(),
        )


def _tls(operator: Operator) -> ssl.SSLContext | None:
    if not operator.tls:
        return None
    context = ssl.create_default_context(cafile=operator.ca_file)
    if operator.cert_file is not None:
        context.load_cert_chain(operator.cert_file, operator.key_file)
    return context
