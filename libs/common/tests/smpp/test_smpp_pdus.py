"""Codec of binds and of the rarer requests; names of numbers."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carillon.smpp.binding import (
    BIND_COMMANDS,
    BindMode,
    BindRequest,
    Outbind,
    decode_bind,
    decode_outbind,
    encode_bind,
    encode_bind_answer,
    encode_outbind,
)
from carillon.smpp.constants import Status, status_name, verdict
from carillon.smpp.errors import PduError
from carillon.smpp.message import ShortMessage
from carillon.smpp.operations import (
    Address,
    Cancel,
    Query,
    QueryAnswer,
    Replace,
    SubmitMulti,
    decode_cancel,
    decode_query,
    decode_query_answer,
    decode_replace,
    decode_submit_multi,
    decode_submit_multi_answer,
    encode_cancel,
    encode_query,
    encode_query_answer,
    encode_replace,
    encode_submit_multi,
    encode_submit_multi_answer,
)

octet = st.integers(0, 255)
time = st.sampled_from(["", "000002000000000R"])


def text(size: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=size)


addresses = st.builds(Address, octet, octet, text(20))
multis = st.builds(
    SubmitMulti,
    st.builds(
        ShortMessage,
        service_type=text(5),
        source_ton=octet,
        source_npi=octet,
        source_addr=text(20),
        validity=time,
        short_message=st.binary(max_size=254),
        tlvs=st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=20), max_size=2),
    ),
    st.lists(st.one_of(addresses, text(20)), min_size=1, max_size=6),
)
pairs: list[tuple[st.SearchStrategy[Any], Callable[[Any], bytes], Callable[[bytes], Any]]] = [
    (multis, encode_submit_multi, decode_submit_multi),
    (st.builds(Query, text(64), addresses), encode_query, decode_query),
    (st.builds(QueryAnswer, text(64), time, octet, octet), encode_query_answer, decode_query_answer),
    (st.builds(Cancel, text(64), addresses, addresses, text(5)), encode_cancel, decode_cancel),
    (
        st.builds(Replace, text(64), addresses, st.binary(max_size=254), time, time, octet, octet),
        encode_replace,
        decode_replace,
    ),
    (st.builds(Outbind, text(15), text(8)), encode_outbind, decode_outbind),
]


@given(st.data(), st.sampled_from(range(len(pairs))))
def test_the_rarer_requests_survive_the_wire_whole_and_fail_politely_when_cut(data: st.DataObject, which: int) -> None:
    values, encode, decode = pairs[which]
    value = data.draw(values)
    body = encode(value)
    assert decode(body) == value
    octets = bytearray(body)
    for position in data.draw(st.lists(st.integers(0, len(body) - 1), max_size=3)):
        octets[position] = data.draw(octet)
    try:
        decode(bytes(octets[: data.draw(st.integers(0, len(body)))]))
    except PduError:
        pass


@given(st.binary(max_size=200), st.sampled_from(range(len(pairs))))
def test_garbage_in_the_rarer_requests_raises_nothing_but_pdu_errors(body: bytes, which: int) -> None:
    try:
        pairs[which][2](body)
    except PduError:
        pass


@given(text(64), st.lists(st.tuples(addresses, st.integers(0, 2**32 - 1)), max_size=5))
def test_a_submit_multi_answer_survives_the_wire(message_id: str, failed: list[tuple[Address, int]]) -> None:
    body = encode_submit_multi_answer(message_id, failed)
    assert decode_submit_multi_answer(body) == (message_id, failed)


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (lambda: encode_submit_multi(SubmitMulti(ShortMessage(), [])), Status.INVNUMDESTS),
        (lambda: encode_submit_multi(SubmitMulti(ShortMessage(), ["list"] * 255)), Status.INVNUMDESTS),
        (lambda: encode_submit_multi(SubmitMulti(ShortMessage(dest_addr="1"), ["l"])), Status.INVDSTADR),
        (lambda: decode_submit_multi(b"\0\0\0\0\x01\x03x\0"), Status.INVDESTFLAG),
        (lambda: decode_submit_multi(b"\0\0\0\0\0"), Status.INVNUMDESTS),
        (lambda: encode_replace(Replace("1", Address(1, 1, "1"), b"x" * 255)), Status.INVMSGLEN),
        (lambda: encode_query(Query("\0", Address(1, 1, "1"))), Status.INVMSGID),
        (lambda: encode_query(Query("1", Address(1, 999, "1"))), Status.INVPARLEN),
        (lambda: encode_submit_multi_answer("1", [(Address(1, 1, "1"), -1)]), Status.INVPARLEN),
        (lambda: decode_bind(9, b"x" * 16 + b"\0"), Status.INVSYSID),
        (lambda: decode_bind(9, b"x\0" + b"p" * 65 + b"\0"), Status.INVPASWD),
        (lambda: decode_bind(4, b""), Status.INVCMDID),
        (lambda: encode_bind(BindRequest("x" * 16)), Status.INVSYSID),
        (lambda: encode_bind(BindRequest("x", "\u00e9")), Status.INVPASWD),
        (lambda: encode_bind(BindRequest("x", "9 letters")), Status.INVPASWD),
    ],
)
def test_faults_are_named_by_their_status(call: Callable[[], object], status: int) -> None:
    with pytest.raises(PduError) as error:
        call()
    assert error.value.status == status


@given(
    st.builds(
        BindRequest,
        text(15),
        text(8),
        st.sampled_from(list(BIND_COMMANDS)),
        text(12),
        octet,
        octet,
        octet,
        text(40),
    )
)
def test_a_bind_survives_the_wire(bind: BindRequest) -> None:
    command_id = BIND_COMMANDS[bind.mode]
    body = encode_bind(bind)
    assert decode_bind(command_id, body) == bind
    assert decode_bind(command_id, body[: -1 - len(bind.address_range)]).address_range == ""


@given(st.sampled_from([1, 2, 9]), st.binary(max_size=120))
def test_garbage_in_a_bind_raises_nothing_but_pdu_errors(command_id: int, body: bytes) -> None:
    try:
        decode_bind(command_id, body)
    except PduError:
        pass


def test_a_password_is_not_printed() -> None:
    mode: BindMode = "receiver"
    assert "hunter2" not in repr(BindRequest("me", "hunter2", mode))


def test_a_bind_answer_carries_our_version() -> None:
    assert encode_bind_answer("us") == b"us\0\x02\x10\0\x01\x34"


def test_trap_02_any_status_is_an_int_with_a_name() -> None:
    assert status_name(0x58) == "ESME_RTHROTTLED"
    assert status_name(0x64) == "ESME_RX_T_APPN"
    assert status_name(0x410) == "0x00000410"
    assert str(PduError(0x410, "vendor")) == "0x00000410 vendor"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0x00, "ok"),
        (0x58, "slow_down"),
        (0x14, "slow_down"),
        (0x08, "retry"),
        (0x64, "retry"),
        (0x04, "retry"),
        (0x0B, "refuse"),
        (0x0A, "refuse"),
        (0x01, "refuse"),
        (0x45, "refuse"),
        (0x410, "refuse"),
    ],
)
def test_trap_12_what_a_status_means_for_the_message(status: int, expected: str) -> None:
    assert verdict(status) == expected
