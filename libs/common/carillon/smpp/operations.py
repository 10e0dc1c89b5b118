"""The rarer requests: submit_multi, query_sm, cancel_sm and replace_sm (SMPP 3.4, 4.5, 4.8, 4.9 and 4.10)."""

from msgspec import Struct

from carillon.smpp.constants import Status
from carillon.smpp.errors import PduError
from carillon.smpp.fields import Reader, c_octets, octets
from carillon.smpp.message import (
    MAX_SHORT_MESSAGE_BYTES,
    ShortMessage,
    decode_short_message,
    encode_short_message,
)

MAX_DESTINATIONS = 254
_ADDRESS, _MESSAGE_ID, _TIME, _SERVICE_TYPE = 21, 65, 17, 6
_SME_ADDRESS, _DISTRIBUTION_LIST = 1, 2


class Address(Struct, frozen=True, gc=False):
    """A number with its type and plan."""

    ton: int
    npi: int
    addr: str


class SubmitMulti(Struct):
    """submit_multi (4.5.1): one message for many; its own destination stays empty."""

    message: ShortMessage
    destinations: list[Address | str]
    """Numbers, or names of distribution lists."""


class Query(Struct, frozen=True):
    """query_sm (4.8.1)."""

    message_id: str
    source: Address


class QueryAnswer(Struct, frozen=True):
    """query_sm_resp (4.8.2): `final_date` is empty while the state (5.2.28) is not final."""

    message_id: str
    final_date: str
    state: int
    error_code: int


class Cancel(Struct, frozen=True):
    """cancel_sm (4.9.1): one message by id, or without an id all from source to destination."""

    message_id: str
    source: Address
    dest: Address
    service_type: str = ""


class Replace(Struct, frozen=True):
    """replace_sm (4.10.1)."""

    message_id: str
    source: Address
    short_message: bytes
    schedule: str = ""
    validity: str = ""
    registered_delivery: int = 0
    default_msg_id: int = 0


def _write_address(address: Address, status: int) -> bytes:
    return octets(address.ton, address.npi) + c_octets(address.addr, _ADDRESS, status)


def _read_address(reader: Reader, status: int) -> Address:
    return Address(reader.octet(), reader.octet(), reader.text(_ADDRESS, status))


def encode_submit_multi(multi: SubmitMulti) -> bytes:
    """Write a submit_multi's body: that of a submit_sm with a list where its destination was."""
    if not 1 <= len(multi.destinations) <= MAX_DESTINATIONS:
        raise PduError(Status.INVNUMDESTS)
    m = multi.message
    if m.dest_addr or m.dest_ton or m.dest_npi:
        raise PduError(Status.INVDSTADR, "submit_multi's message has a destination of its own")
    body = encode_short_message(m)
    cut = len(m.service_type) + 1 + 2 + len(m.source_addr) + 1
    parts = [body[:cut], octets(len(multi.destinations))]
    for destination in multi.destinations:
        if isinstance(destination, str):
            parts += (octets(_DISTRIBUTION_LIST), c_octets(destination, _ADDRESS, Status.INVDLNAME))
        else:
            parts += (octets(_SME_ADDRESS), _write_address(destination, Status.INVDSTADR))
    parts.append(body[cut + 3 :])
    return b"".join(parts)


def decode_submit_multi(body: bytes) -> SubmitMulti:
    """Read a submit_multi's body."""
    reader = Reader(body)
    service_type = reader.text(_SERVICE_TYPE, Status.INVSERTYP)
    source = _read_address(reader, Status.INVSRCADR)
    count = reader.octet()
    if not 1 <= count <= MAX_DESTINATIONS:
        raise PduError(Status.INVNUMDESTS)
    destinations = [_read_destination(reader) for _ in range(count)]
    head = service_type.encode("latin-1") + b"\0" + bytes((source.ton, source.npi))
    head += source.addr.encode("latin-1") + b"\0"
    return SubmitMulti(decode_short_message(head + b"\0\0\0" + reader.rest()), destinations)


def _read_destination(reader: Reader) -> Address | str:
    flag = reader.octet()
    if flag == _SME_ADDRESS:
        return _read_address(reader, Status.INVDSTADR)
    if flag == _DISTRIBUTION_LIST:
        return reader.text(_ADDRESS, Status.INVDLNAME)
    raise PduError(Status.INVDESTFLAG)


def encode_submit_multi_answer(message_id: str, failed: list[tuple[Address, int]]) -> bytes:
    """Write the body of a submit_multi_resp (4.5.2): the id, and which numbers failed with what status."""
    parts = [c_octets(message_id, _MESSAGE_ID, Status.INVMSGID), octets(len(failed))]
    for address, status in failed:
        high, low = divmod(status, 1 << 16)
        parts += (_write_address(address, Status.INVDSTADR), octets(*divmod(high, 256), *divmod(low, 256)))
    return b"".join(parts)


def decode_submit_multi_answer(body: bytes) -> tuple[str, list[tuple[Address, int]]]:
    """Read the body of a submit_multi_resp."""
    reader = Reader(body)
    message_id = reader.text(_MESSAGE_ID, Status.INVMSGID)
    failed = []
    for _ in range(reader.octet()):
        address = _read_address(reader, Status.INVDSTADR)
        failed.append((address, int.from_bytes(reader.data(4), "big")))
    return message_id, failed


def encode_query(query: Query) -> bytes:
    """Write a query_sm's body."""
    return c_octets(query.message_id, _MESSAGE_ID, Status.INVMSGID) + _write_address(query.source, Status.INVSRCADR)


def decode_query(body: bytes) -> Query:
    """Read a query_sm's body."""
    reader = Reader(body)
    return Query(reader.text(_MESSAGE_ID, Status.INVMSGID), _read_address(reader, Status.INVSRCADR))


def encode_query_answer(answer: QueryAnswer) -> bytes:
    """Write the body of a query_sm_resp."""
    return (
        c_octets(answer.message_id, _MESSAGE_ID, Status.INVMSGID)
        + c_octets(answer.final_date, _TIME)
        + octets(answer.state, answer.error_code)
    )


def decode_query_answer(body: bytes) -> QueryAnswer:
    """Read the body of a query_sm_resp."""
    reader = Reader(body)
    return QueryAnswer(reader.text(_MESSAGE_ID, Status.INVMSGID), reader.text(_TIME), reader.octet(), reader.octet())


def encode_cancel(cancel: Cancel) -> bytes:
    """Write a cancel_sm's body."""
    return (
        c_octets(cancel.service_type, _SERVICE_TYPE, Status.INVSERTYP)
        + c_octets(cancel.message_id, _MESSAGE_ID, Status.INVMSGID)
        + _write_address(cancel.source, Status.INVSRCADR)
        + _write_address(cancel.dest, Status.INVDSTADR)
    )


def decode_cancel(body: bytes) -> Cancel:
    """Read a cancel_sm's body."""
    reader = Reader(body)
    service_type = reader.text(_SERVICE_TYPE, Status.INVSERTYP)
    message_id = reader.text(_MESSAGE_ID, Status.INVMSGID)
    source = _read_address(reader, Status.INVSRCADR)
    return Cancel(message_id, source, _read_address(reader, Status.INVDSTADR), service_type)


def encode_replace(replace: Replace) -> bytes:
    """Write a replace_sm's body."""
    if len(replace.short_message) > MAX_SHORT_MESSAGE_BYTES:
        raise PduError(Status.INVMSGLEN)
    return b"".join(
        (
            c_octets(replace.message_id, _MESSAGE_ID, Status.INVMSGID),
            _write_address(replace.source, Status.INVSRCADR),
            c_octets(replace.schedule, _TIME, Status.INVSCHED),
            c_octets(replace.validity, _TIME, Status.INVEXPIRY),
            octets(replace.registered_delivery, replace.default_msg_id, len(replace.short_message)),
            replace.short_message,
        )
    )


def decode_replace(body: bytes) -> Replace:
    """Read a replace_sm's body."""
    reader = Reader(body)
    message_id = reader.text(_MESSAGE_ID, Status.INVMSGID)
    source = _read_address(reader, Status.INVSRCADR)
    schedule = reader.text(_TIME, Status.INVSCHED)
    validity = reader.text(_TIME, Status.INVEXPIRY)
    registered_delivery, default_msg_id, length = reader.data(3)
    return Replace(message_id, source, reader.data(length), schedule, validity, registered_delivery, default_msg_id)
