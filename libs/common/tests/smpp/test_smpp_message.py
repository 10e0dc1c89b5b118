"""Codec of submit_sm, deliver_sm and data_sm."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from carillon.smpp.constants import Status, Tag
from carillon.smpp.errors import PduError
from carillon.smpp.message import (
    ShortMessage,
    check,
    decode_data_sm,
    decode_short_message,
    encode_data_sm,
    encode_short_message,
)

octet = st.integers(0, 255)
tlvs = st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=300), max_size=5)


def text(size: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=size)


def exactly(size: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(min_codepoint=1, max_codepoint=127), min_size=size, max_size=size)


time = st.one_of(st.just(""), exactly(16))

messages = st.builds(
    ShortMessage,
    service_type=text(5),
    source_ton=octet,
    source_npi=octet,
    source_addr=text(20),
    dest_ton=octet,
    dest_npi=octet,
    dest_addr=text(20),
    esm_class=octet,
    protocol_id=octet,
    priority=octet,
    schedule=time,
    validity=time,
    registered_delivery=octet,
    replace=octet,
    data_coding=octet,
    default_msg_id=octet,
    short_message=st.binary(max_size=254),
    tlvs=tlvs,
)
data_messages = st.builds(
    ShortMessage,
    service_type=text(5),
    source_ton=octet,
    source_npi=octet,
    source_addr=text(64),
    dest_ton=octet,
    dest_npi=octet,
    dest_addr=text(64),
    esm_class=octet,
    registered_delivery=octet,
    data_coding=octet,
    tlvs=tlvs,
)
FULL = ShortMessage(
    "CMT", 5, 0, "Carillon", 1, 1, "33612345678", 0x43, 1, 2, "", "000002000000000R", 1, 0, 8, 3,
    b"\x05\x00\x03\x01\x02\x01hello", {0x1E: b"abc\0", 0x1400: b""},
)  # fmt: skip


@given(messages)
def test_a_short_message_survives_the_wire(message: ShortMessage) -> None:
    assert decode_short_message(encode_short_message(message)) == message


@given(data_messages)
def test_a_data_sm_survives_the_wire(message: ShortMessage) -> None:
    assert decode_data_sm(encode_data_sm(message)) == message


def mutations(body: bytes) -> st.SearchStrategy[bytes]:
    def mutate(changes: list[tuple[int, int]], start: int, end: int) -> bytes:
        octets = bytearray(body)
        for position, value in changes:
            octets[position] = value
        return bytes(octets[start : max(start, end)])

    place = st.integers(0, len(body) - 1)
    return st.builds(mutate, st.lists(st.tuples(place, octet), max_size=6), st.integers(0, 8), place)


@given(st.one_of(st.binary(max_size=400), mutations(encode_short_message(FULL))))
@example(b"")
def test_mutated_short_messages_raise_nothing_but_pdu_errors(body: bytes) -> None:
    try:
        message = decode_short_message(body)
        assert message.tlv_text(Tag.RECEIPTED_MESSAGE_ID) != ""
        assert message.is_report in (True, False)
        check(message)
        assert decode_short_message(encode_short_message(message)).short_message == message.short_message
    except PduError:
        pass


@given(st.one_of(st.binary(max_size=400), mutations(encode_data_sm(FULL))))
def test_mutated_data_sm_raise_nothing_but_pdu_errors(body: bytes) -> None:
    try:
        decode_data_sm(body)
    except PduError:
        pass


wild = st.one_of(st.integers(-300, 70_000), octet)
wild_text = st.text(max_size=30)


@given(
    st.builds(
        ShortMessage,
        service_type=wild_text,
        source_ton=wild,
        source_addr=wild_text,
        dest_npi=wild,
        dest_addr=wild_text,
        esm_class=wild,
        validity=wild_text,
        data_coding=wild,
        short_message=st.binary(max_size=300),
        tlvs=st.dictionaries(wild, st.binary(max_size=10), max_size=2),
    )
)
def test_unfit_messages_raise_nothing_but_pdu_errors(message: ShortMessage) -> None:
    for encode, decode in (
        (encode_short_message, decode_short_message),
        (encode_data_sm, decode_data_sm),
    ):
        try:
            body = encode(message)
        except PduError:
            pass
        else:
            assert decode(body).dest_addr == message.dest_addr


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("source_addr", "x" * 21, Status.INVSRCADR),
        ("source_addr", "Caf\u00e9", Status.INVSRCADR),
        ("source_addr", "A\0\x01\x0133600000000", Status.INVSRCADR),
        ("dest_addr", "3" * 21, Status.INVDSTADR),
        ("dest_addr", "336\x00", Status.INVDSTADR),
        ("service_type", "toolong", Status.INVSERTYP),
        ("service_type", "\0", Status.INVSERTYP),
        ("schedule", "tomorrow", Status.INVSCHED),
        ("schedule", "x" * 17, Status.INVSCHED),
        ("validity", "2 days", Status.INVEXPIRY),
        ("validity", "00000200000000\0R", Status.INVEXPIRY),
        ("short_message", b"x" * 255, Status.INVMSGLEN),
        ("data_coding", 256, Status.INVPARLEN),
        ("esm_class", -1, Status.INVPARLEN),
        ("tlvs", {0x10000: b""}, Status.INVOPTPARSTREAM),
        ("tlvs", {0x0424: b"x" * 65_536}, Status.INVOPTPARSTREAM),
    ],
)
def test_trap_06_what_does_not_fit_a_field_does_not_go_out(field: str, value: object, status: int) -> None:
    message = ShortMessage(source_addr="Carillon", dest_addr="33612345678")
    setattr(message, field, value)
    with pytest.raises(PduError) as error:
        encode_short_message(message)
    assert error.value.status == status


def test_trap_04_a_bad_tlv_leaves_the_mandatory_part_and_the_good_ones() -> None:
    body = encode_short_message(ShortMessage(esm_class=4, short_message=b"id:1", tlvs={0x1E: b"1\0"}))
    for tail in (b"\x04\x27\0\x05\x02", b"\x04\x27", b"\0"):
        message = decode_short_message(body + tail)
        assert message.bad_tlv
        assert (message.short_message, message.tlvs) == (b"id:1", {0x1E: b"1\0"})


def test_a_body_that_ends_within_the_mandatory_part_is_refused() -> None:
    body = encode_short_message(ShortMessage(short_message=b"hello"))
    for end in range(len(body)):
        with pytest.raises(PduError):
            decode_short_message(body[:end])


def test_message_payload_is_the_body_when_short_message_is_empty() -> None:
    payload = b"x" * 1_000
    message = decode_short_message(encode_short_message(ShortMessage(tlvs={Tag.MESSAGE_PAYLOAD: payload})))
    assert message.user_data == payload
    assert decode_data_sm(encode_data_sm(ShortMessage(short_message=payload))).user_data == payload
    both = ShortMessage(short_message=b"short", tlvs={Tag.MESSAGE_PAYLOAD: payload})
    assert both.user_data == b"short"


@pytest.mark.parametrize(
    ("esm_class", "is_report", "has_udh"),
    [
        (0x00, False, False),
        (0x03, False, False),  # Kannel: default mode written as 3
        (0x43, False, True),  # Kannel: the same, with a header
        (0x04, True, False),
        (0x07, True, False),
        (0x44, True, True),
        (0x20, True, False),
        (0x08, False, False),
        (0x10, False, False),
        (0x84, True, False),
    ],
)
def test_trap_09_mode_bits_are_masked_and_data_coding_is_left_alone(
    esm_class: int, is_report: bool, has_udh: bool
) -> None:
    body = encode_short_message(ShortMessage(esm_class=esm_class, data_coding=1, short_message=b"\x00@"))
    message = decode_short_message(body)
    assert (message.is_report, message.has_udh) == (is_report, has_udh)
    assert (message.esm_class, message.data_coding, message.short_message) == (esm_class, 1, b"\x00@")


def test_trap_11_what_the_tlvs_of_a_report_say_is_at_hand() -> None:
    receipt = b"id:00A1 sub:001 dlvrd:001 done date:240101120130 stat:DELIVRD err:0x1 Text:hi"
    for written in (b"00A1\0", b"00A1"):
        tlvs = {0x1E: written, 0x0427: b"\x02", 0x0423: b"\x03\x00\x22"}
        message = decode_short_message(encode_short_message(ShortMessage(short_message=receipt, tlvs=tlvs)))
        assert message.tlv_text(Tag.RECEIPTED_MESSAGE_ID) == "00A1"
        assert message.tlv_int(Tag.MESSAGE_STATE) == 2
        assert message.tlvs[Tag.NETWORK_ERROR_CODE] == b"\x03\x00\x22"
        assert message.user_data == receipt
    bare = decode_short_message(encode_short_message(ShortMessage(short_message=receipt)))
    assert bare.tlv_text(Tag.RECEIPTED_MESSAGE_ID) is None
    assert bare.tlv_int(Tag.MESSAGE_STATE) is None
