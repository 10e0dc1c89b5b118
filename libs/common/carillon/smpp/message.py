"""One SMS on the wire: submit_sm and deliver_sm (SMPP 3.4, 4.4.1 and 4.6.1: one body) and data_sm (4.7.1)."""

import re
from typing import NoReturn

from msgspec import Struct

from carillon.smpp.constants import EsmClass, Status, Tag
from carillon.smpp.errors import PduError
from carillon.smpp.fields import Reader, c_octets, decode_tlvs, encode_tlvs, octets

MAX_SHORT_MESSAGE_BYTES = 254
_MAX_SERVICE_TYPE, _MAX_ADDRESS = 5, 20
_TIME_LENGTHS = (0, 16)
_TYPE_MASK, _UDH = int(EsmClass.TYPE_MASK), int(EsmClass.UDH)
_REPORT_TYPES = (int(EsmClass.RECEIPT), int(EsmClass.INTERMEDIATE))

# service_type, ton npi, source, ton npi, destination, esm_class protocol_id priority, schedule, validity,
# registered_delivery replace data_coding default_msg_id sm_length: one match is faster than twelve slices.
_mandatory = re.compile(rb"([^\0]*)\0(..)([^\0]*)\0(..)([^\0]*)\0(...)([^\0]*)\0([^\0]*)\0(.....)", re.DOTALL).match


class ShortMessage(Struct, gc=False):
    """The fields of a submit_sm, deliver_sm or data_sm. Texts are ASCII when written, Latin-1 when read.

    `short_message` is the raw user data, its user data header included. data_sm has no protocol_id, priority,
    schedule, validity, replace, default_msg_id and short_message: its body is the message_payload TLV.
    """

    service_type: str = ""
    source_ton: int = 0
    source_npi: int = 0
    source_addr: str = ""
    dest_ton: int = 0
    dest_npi: int = 0
    dest_addr: str = ""
    esm_class: int = 0
    protocol_id: int = 0
    priority: int = 0
    schedule: str = ""
    validity: str = ""
    registered_delivery: int = 0
    replace: int = 0
    data_coding: int = 0
    default_msg_id: int = 0
    short_message: bytes = b""
    tlvs: dict[int, bytes] = {}
    bad_tlv: bool = False
    """The optional parameters were malformed: `tlvs` holds those before the fault."""

    @property
    def user_data(self) -> bytes:
        """The body, wherever it was: `short_message`, or message_payload when that is empty (5.3.2.32)."""
        return self.short_message or self.tlvs.get(Tag.MESSAGE_PAYLOAD, b"")

    @property
    def is_report(self) -> bool:
        """A delivery receipt or intermediate notification, whatever the mode bits say (5.2.12)."""
        return self.esm_class & _TYPE_MASK in _REPORT_TYPES

    @property
    def has_udh(self) -> bool:
        """The user data starts with a user data header (5.2.12)."""
        return self.esm_class & _UDH != 0

    def tlv_text(self, tag: int) -> str | None:
        """A TLV that holds a C-octet string, with or without its NUL; None when absent or empty."""
        return self.tlvs.get(tag, b"").partition(b"\0")[0].decode("latin-1") or None

    def tlv_int(self, tag: int) -> int | None:
        """A TLV that holds an integer of 1, 2 or 4 octets; None when absent or of another length."""
        value = self.tlvs.get(tag, b"")
        return int.from_bytes(value, "big") if len(value) in (1, 2, 4) else None


def check(m: ShortMessage) -> None:
    """`PduError` with the status of the first text field that 4.4.1 does not allow: length, ASCII, no NUL."""
    text = f"{m.source_addr}{m.dest_addr}{m.service_type}{m.schedule}{m.validity}"
    if (
        not text.isascii()
        or "\0" in text
        or len(m.source_addr) > _MAX_ADDRESS
        or len(m.dest_addr) > _MAX_ADDRESS
        or len(m.service_type) > _MAX_SERVICE_TYPE
        or len(m.schedule) not in _TIME_LENGTHS
        or len(m.validity) not in _TIME_LENGTHS
    ):
        _blame(m)


def _blame(m: ShortMessage) -> NoReturn:
    c_octets(m.source_addr, _MAX_ADDRESS + 1, Status.INVSRCADR)
    c_octets(m.dest_addr, _MAX_ADDRESS + 1, Status.INVDSTADR)
    c_octets(m.service_type, _MAX_SERVICE_TYPE + 1, Status.INVSERTYP)
    c_octets(m.schedule, 17, Status.INVSCHED)
    c_octets(m.validity, 17, Status.INVEXPIRY)
    if len(m.schedule) not in _TIME_LENGTHS:
        raise PduError(Status.INVSCHED, "schedule is neither empty nor 16 characters")
    raise PduError(Status.INVEXPIRY, "validity is neither empty nor 16 characters")


def encode_short_message(m: ShortMessage) -> bytes:
    """Write the body of a submit_sm or deliver_sm; `PduError` when a field does not fit."""
    check(m)
    data = m.short_message
    if len(data) > MAX_SHORT_MESSAGE_BYTES:
        raise PduError(Status.INVMSGLEN, "short_message is over 254 octets: use message_payload")
    try:
        body = b"%b\0%c%c%b\0%c%c%b\0%c%c%c%b\0%b\0%c%c%c%c%c%b" % (
            m.service_type.encode(),
            m.source_ton,
            m.source_npi,
            m.source_addr.encode(),
            m.dest_ton,
            m.dest_npi,
            m.dest_addr.encode(),
            m.esm_class,
            m.protocol_id,
            m.priority,
            m.schedule.encode(),
            m.validity.encode(),
            m.registered_delivery,
            m.replace,
            m.data_coding,
            m.default_msg_id,
            len(data),
            data,
        )
    except (OverflowError, TypeError):
        raise PduError(Status.INVPARLEN, "an integer is not 0..255") from None
    return body + encode_tlvs(m.tlvs) if m.tlvs else body


def decode_short_message(body: bytes) -> ShortMessage:
    """Read the body of a submit_sm or deliver_sm; `PduError` when its mandatory part is not whole.

    Texts are not checked here (an operator's oddity must not cost a report): a server calls `check`.
    """
    match = _mandatory(body)
    if match is None:
        raise PduError(Status.INVCMDLEN, "body ends too early")
    service_type, source, source_addr, dest, dest_addr, kind, schedule, validity, tail = match.groups()
    source_ton, source_npi = source
    dest_ton, dest_npi = dest
    esm_class, protocol_id, priority = kind
    registered_delivery, replace, data_coding, default_msg_id, length = tail
    start = match.end()
    stop = start + length
    tlvs: dict[int, bytes] = {}
    well_formed = True
    if stop != len(body):
        if stop > len(body):
            raise PduError(Status.INVMSGLEN, "sm_length is more than what came")
        tlvs, well_formed = decode_tlvs(body, stop)
    return ShortMessage(
        service_type.decode("latin-1"),
        source_ton,
        source_npi,
        source_addr.decode("latin-1"),
        dest_ton,
        dest_npi,
        dest_addr.decode("latin-1"),
        esm_class,
        protocol_id,
        priority,
        schedule.decode("latin-1"),
        validity.decode("latin-1"),
        registered_delivery,
        replace,
        data_coding,
        default_msg_id,
        body[start:stop],
        tlvs,
        not well_formed,
    )


_DATA_ADDRESS = 65  # data_sm allows addresses of 64 characters (4.7.1)


def encode_data_sm(m: ShortMessage) -> bytes:
    """Write the body of a data_sm; a `short_message` goes out as message_payload."""
    tlvs = {**m.tlvs, int(Tag.MESSAGE_PAYLOAD): m.short_message} if m.short_message else m.tlvs
    return b"".join(
        (
            c_octets(m.service_type, _MAX_SERVICE_TYPE + 1, Status.INVSERTYP),
            octets(m.source_ton, m.source_npi),
            c_octets(m.source_addr, _DATA_ADDRESS, Status.INVSRCADR),
            octets(m.dest_ton, m.dest_npi),
            c_octets(m.dest_addr, _DATA_ADDRESS, Status.INVDSTADR),
            octets(m.esm_class, m.registered_delivery, m.data_coding),
            encode_tlvs(tlvs),
        )
    )


def decode_data_sm(body: bytes) -> ShortMessage:
    """Read the body of a data_sm; `PduError` when its mandatory part is not whole."""
    reader = Reader(body)
    m = ShortMessage(service_type=reader.text(_MAX_SERVICE_TYPE + 1, Status.INVSERTYP))
    m.source_ton, m.source_npi = reader.data(2)
    m.source_addr = reader.text(_DATA_ADDRESS, Status.INVSRCADR)
    m.dest_ton, m.dest_npi = reader.data(2)
    m.dest_addr = reader.text(_DATA_ADDRESS, Status.INVDSTADR)
    m.esm_class, m.registered_delivery, m.data_coding = reader.data(3)
    m.tlvs, well_formed = reader.tlvs()
    m.bad_tlv = not well_formed
    return m
