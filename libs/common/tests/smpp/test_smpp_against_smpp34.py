"""The same octets as another implementation: smpp34 (PyPI)."""

import smpp34
from hypothesis import given
from hypothesis import strategies as st

from carillon.smpp.framing import frame
from carillon.smpp.message import ShortMessage, decode_short_message, encode_short_message

octet = st.integers(0, 255)
printable = st.characters(min_codepoint=32, max_codepoint=126)


def printable_text(size: int, least: int = 0) -> st.SearchStrategy[str]:
    return st.text(printable, min_size=least, max_size=size)


common = st.builds(
    ShortMessage,
    service_type=printable_text(5),
    source_ton=st.integers(0, 6),
    source_npi=st.sampled_from([0, 1, 3, 4, 6, 8, 9, 10, 14, 18]),
    source_addr=printable_text(20),
    dest_ton=st.integers(0, 6),
    dest_npi=st.sampled_from([0, 1, 3, 4, 6, 8, 9, 10, 14, 18]),
    dest_addr=printable_text(20, 1),
    esm_class=octet,
    protocol_id=octet,
    priority=st.integers(0, 3),
    validity=st.sampled_from(["", "000002000000000R", "240131120000000+"]),
    registered_delivery=octet,
    replace=st.integers(0, 1),
    data_coding=octet,
    default_msg_id=octet,
    short_message=st.binary(max_size=254),
    tlvs=st.dictionaries(st.integers(0x1400, 0x3FFF), st.binary(max_size=50), max_size=3),
)


@given(common, st.sampled_from(["SubmitSm", "DeliverSm"]))
def test_smpp34_reads_and_writes_the_same(message: ShortMessage, kind: str) -> None:
    make = smpp34.SubmitSm if kind == "SubmitSm" else smpp34.DeliverSm
    other = make(
        message.source_addr,
        message.dest_addr,
        message.short_message,
        service_type=message.service_type,
        source_addr_ton=message.source_ton,
        source_addr_npi=message.source_npi,
        dest_addr_ton=message.dest_ton,
        dest_addr_npi=message.dest_npi,
        esm_class=message.esm_class,
        protocol_id=message.protocol_id,
        priority_flag=message.priority,
        validity_period=message.validity,
        registered_delivery=message.registered_delivery,
        replace_if_present_flag=message.replace,
        data_coding=message.data_coding,
        sm_default_msg_id=message.default_msg_id,
        tlvs=[smpp34.Tlv(tag, value) for tag, value in message.tlvs.items()],
        sequence_number=77,
    )
    command_id = 4 if kind == "SubmitSm" else 5
    ours = frame(command_id, 0, 77, encode_short_message(message))
    theirs = other.encode()
    assert ours == theirs
    assert decode_short_message(theirs[16:]) == message
    read = smpp34.decode(ours)
    assert isinstance(read, make)
    assert (read.source_addr, read.destination_addr) == (message.source_addr, message.dest_addr)
    assert read.short_message == message.short_message
