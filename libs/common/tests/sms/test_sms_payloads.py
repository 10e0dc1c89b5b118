"""What goes into short_message: headers, bodies, data_coding, at operators with other default alphabets."""

from hypothesis import given, settings
from hypothesis import strategies as st

from carillon.sms.data_coding import decode_text
from carillon.sms.payloads import Payload, data_payloads, payloads
from carillon.sms.segments import segment, segment_binary
from carillon.sms.udh import Concatenation, Ports, client_udh, parse_udh, ports_udh


def test_one_part_has_no_header() -> None:
    assert payloads(segment("é{"), 7) == (Payload(b"", b"\x05\x1b\x28", 0),)
    assert payloads(segment("ê"))[0] == Payload(b"", b"\x00\xea", 8)


def test_parts_are_numbered_under_one_reference() -> None:
    first, second = payloads(segment("a" * 161), 0x1FE)
    assert first.user_data == bytes.fromhex("050003FE0201") + b"a" * 153
    assert second.user_data == bytes.fromhex("050003FE0202") + b"a" * 8
    wide = payloads(segment("a" * 161, wide_ref=True), 0x1FE)
    assert wide[1].udh == bytes.fromhex("06080401FE0202")


def test_the_clients_own_concatenation_goes_out_as_it_is() -> None:
    (only,) = payloads(segment("a" * 153, udh=client_udh("2A0201", binary=False)), 99)
    assert only.user_data == bytes.fromhex("0500032A0201") + b"a" * 153


def test_ports_and_concatenation_share_one_header() -> None:
    parts = data_payloads(segment_binary(bytes(200), ports_udh(2948, 9200)), 5)
    header = parse_udh(parts[1].udh)
    assert parts[1].udh.hex() == "0b05040b8423f00003050202"
    assert header.ports == Ports(2948, 9200)
    assert header.concatenation == Concatenation(5, 2, 2)
    assert parts[0].data_coding == 4
    assert all(len(part.user_data) <= 140 for part in parts)
    assert data_payloads(segment_binary(b"x"), data_coding=0xF5)[0] == Payload(b"", b"x", 0xF5)


def test_latin1_operator() -> None:
    assert payloads(segment("é@{"), alphabet="latin1")[0] == Payload(b"", b"\xe9@{", 0)


def test_what_the_operators_alphabet_lacks_goes_as_ucs2_in_as_many_parts() -> None:
    (part,) = payloads(segment("10 €"), alphabet="latin1")
    assert (part.data_coding, part.body) == (8, "10 €".encode("utf-16-be"))


def test_or_with_plain_characters_where_ucs2_takes_more_parts() -> None:
    (part,) = payloads(segment("é" * 99 + "€Å"), alphabet="ascii")
    assert (part.data_coding, part.body) == (0, b"e" * 99 + b"?A")
    udh = client_udh("2A0201", binary=False)
    (part,) = payloads(segment("€" + "a" * 100, udh=udh), alphabet="latin1")
    assert part == Payload(udh, b"?" + b"a" * 100, 0)


@given(st.text(max_size=500), st.integers(0, 0xFFFF), st.booleans())
@settings(deadline=None)
def test_a_handset_reads_the_text_back(text: str, reference: int, wide_ref: bool) -> None:
    cut = segment(text, wide_ref=wide_ref)
    parts = payloads(cut, reference)
    assert len(parts) == len(cut.parts)
    assert "".join(decode_text(part.body, part.data_coding) or "" for part in parts) == text
    for place, part in enumerate(parts, 1):
        packed = -(-len(part.body) * 7 // 8) if part.data_coding == 0 else len(part.body)
        assert len(part.udh) + packed <= 140
        if len(parts) > 1:
            expected = Concatenation(reference if wide_ref else reference & 0xFF, len(parts), place, wide_ref)
            assert parse_udh(part.udh).concatenation == expected


@given(st.text(st.characters(max_codepoint=0x20AC), max_size=300), st.sampled_from(["latin1", "ascii"]))
@settings(deadline=None)
def test_the_number_of_parts_never_changes_with_the_operator(text: str, alphabet: str) -> None:
    cut = segment(text)
    parts = payloads(cut, 1, "latin1" if alphabet == "latin1" else "ascii")
    assert len(parts) == len(cut.parts)
    assert all(len(part.user_data) <= 160 for part in parts)
