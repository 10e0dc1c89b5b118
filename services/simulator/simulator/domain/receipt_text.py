"""The delivery report as an operator writes it: text of SMPP 3.4, appendix B, and optional parameters."""

from datetime import UTC, datetime
from functools import lru_cache

from msgspec import Struct

from carillon.smpp.constants import EsmClass, Tag
from carillon.smpp.message import ShortMessage, encode_short_message
from simulator.domain.fates import Outcome
from simulator.domain.handsets import Received

_FINAL, _INTERMEDIATE = int(EsmClass.RECEIPT), int(EsmClass.INTERMEDIATE)
_ID, _STATE, _ERROR = int(Tag.RECEIPTED_MESSAGE_ID), int(Tag.MESSAGE_STATE), int(Tag.NETWORK_ERROR_CODE)
_TEXT_OCTETS = 20


class Report(Struct, gc=False):
    """What the sender of `received` is to be told; `tlvs`: with optional parameters. `tries` counts refusals."""

    received: Received
    outcome: Outcome
    final: bool
    tlvs: bool
    tries: int = 0


def encode_report(report: Report) -> bytes:
    """The body of its deliver_sm, from the handset's number to the message's sender."""
    received, outcome = report.received, report.outcome
    identifier = b"%d" % received.message_id
    return encode_short_message(
        ShortMessage(
            source_ton=received.number_ton,
            source_npi=received.number_npi,
            source_addr=received.number,
            dest_ton=received.sender_ton,
            dest_npi=received.sender_npi,
            dest_addr=received.sender,
            esm_class=_FINAL if report.final else _INTERMEDIATE,
            short_message=b"id:%b sub:001 dlvrd:%b submit date:%b done date:%b stat:%b err:%b text:%b"
            % (
                identifier,
                b"000" if outcome.failed else b"001",
                _date(received.received_ms // 60_000),
                _date(received.done_ms // 60_000),
                outcome.word,
                outcome.error,
                _beginning(received),
            ),
            tlvs=_parameters(identifier, outcome) if report.tlvs else {},
        )
    )


def _parameters(identifier: bytes, outcome: Outcome) -> dict[int, bytes]:
    return {_ID: identifier + b"\0", _STATE: bytes((outcome.state,)), _ERROR: outcome.network_error}


def _beginning(received: Received) -> bytes:
    """The first octets, where the default alphabet and ASCII agree well enough; some operators send no more."""
    if received.data_coding or received.has_udh:
        return b""
    beginning = received.octets[:_TEXT_OCTETS]
    return beginning if beginning.isascii() else b""


@lru_cache(maxsize=256)
def _date(minute: int) -> bytes:
    """`YYMMDDhhmm` in UTC of a number of minutes since 1970."""
    return datetime.fromtimestamp(minute * 60, UTC).strftime("%y%m%d%H%M").encode()
