"""The user data header: what is read, what is refused, what is built."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carillon.sms.udh import (
    Concatenation,
    Element,
    Ports,
    UdhInvalid,
    client_udh,
    concatenation_udh,
    parse_udh,
    ports_udh,
    split_user_data,
)


@pytest.mark.parametrize(
    ("header", "concatenation", "ports"),
    [
        ("0500032A0201", Concatenation(0x2A, 2, 1), None),
        ("060804012C0302", Concatenation(0x12C, 3, 2, True), None),
        ("0605040B8423F0", None, Ports(0x0B84, 0x23F0)),
        ("040402F510", None, Ports(0xF5, 0x10)),
        ("0B05040B8423F000032A0202", Concatenation(0x2A, 2, 2), Ports(0x0B84, 0x23F0)),
        ("0A00032A02010003AA0302", Concatenation(0xAA, 3, 2), None),  # repeated: the last one counts
        ("00", None, None),
        ("027000", None, None),
    ],
)
def test_parse(header: str, concatenation: Concatenation | None, ports: Ports | None) -> None:
    read = parse_udh(bytes.fromhex(header))
    assert (read.concatenation, read.ports, read.octets) == (concatenation, ports, bytes.fromhex(header))


def test_unknown_elements_are_kept() -> None:
    assert parse_udh(bytes.fromhex("03240101")).elements == (Element(0x24, b"\x01"),)


@pytest.mark.parametrize(
    "header",
    [
        "", "05", "0500032A02", "0500032A020101", "0100", "0300032A", "0500042A0201", "0400022A02", "06080301020201",
        "0500032A0200", "0500032A0203", "0500032A0000", "0605050B8423F0", "0605030B8423F0", "0604040B8423F0",
    ],
)  # fmt: skip
def test_headers_that_are_refused(header: str) -> None:
    with pytest.raises(UdhInvalid) as raised:
        parse_udh(bytes.fromhex(header))
    assert raised.value.code == "udh_invalid"


@given(st.binary(max_size=150))
def test_reading_raises_nothing_but_its_own_error(octets: bytes) -> None:
    for read in (parse_udh, split_user_data):
        try:
            read(octets)
        except UdhInvalid:
            continue


@given(st.binary(max_size=100).flatmap(lambda body: st.just(bytes((len(body),)) + body)))
def test_elements_make_up_the_whole_header(octets: bytes) -> None:
    try:
        read = parse_udh(octets)
    except UdhInvalid:
        return
    again = b"".join(bytes((element.identifier, len(element.data))) + element.data for element in read.elements)
    assert bytes((len(again),)) + again == octets


@given(st.integers(0, 0xFFFF), st.integers(1, 255), st.booleans(), st.data())
def test_concatenation_is_read_back(reference: int, total: int, wide: bool, data: st.DataObject) -> None:
    place = data.draw(st.integers(1, total))
    header = concatenation_udh(reference, total, place, wide=wide, others=ports_udh(1, 2)[1:])
    read = parse_udh(header)
    assert read.concatenation == Concatenation(reference if wide else reference & 0xFF, total, place, wide)
    assert read.ports == Ports(1, 2)


@pytest.mark.parametrize(("total", "place"), [(0, 0), (2, 0), (2, 3), (256, 1)])
def test_impossible_places_are_not_built(total: int, place: int) -> None:
    with pytest.raises(UdhInvalid):
        concatenation_udh(1, total, place)


def test_user_data_is_split_after_its_header() -> None:
    header, body = split_user_data(bytes.fromhex("0500032A0201") + b"hello")
    assert (header.concatenation, body) == (Concatenation(0x2A, 2, 1), b"hello")


@pytest.mark.parametrize(
    ("text", "binary", "header"),
    [
        ("2A0201", False, "0500032a0201"),
        ("2a0201", True, "0500032a0201"),
        ("020302", True, "050003020302"),
        ("027000", True, "027000"),
        ("0605040B8423F0", True, "0605040b8423f0"),
        ("0500032A0201", True, "0500032a0201"),
    ],
)
def test_the_legacy_parameter(text: str, binary: bool, header: str) -> None:
    assert client_udh(text, binary=binary).hex() == header


@pytest.mark.parametrize(
    ("text", "binary"),
    [
        ("", True), ("2A02", False), ("2A0200", False), ("2A0203", False), ("2A0000", False), ("2A 02 01", False),
        ("zz0201", False), ("2A020", False), ("0500032A0201", False), ("0500032A0203", True), ("07000301", True),
        ("２A0201", False), ("027000", False),
    ],
)  # fmt: skip
def test_the_legacy_parameter_refused(text: str, binary: bool) -> None:
    with pytest.raises(UdhInvalid):
        client_udh(text, binary=binary)
