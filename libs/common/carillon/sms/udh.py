"""The user data header: read, checked, built.

3GPP TS 23.040 clause 9.2.3.24: a length octet, then elements of identifier, length and data. 9.2.3.24.1 and
.8 are concatenation with an 8-bit and a 16-bit reference, .3 and .4 are application ports of 8 and 16 bits.
"""

import re
from typing import Final, NamedTuple

CONCAT_8: Final = 0x00
CONCAT_16: Final = 0x08
PORTS_8: Final = 0x04
PORTS_16: Final = 0x05
MAX_OCTETS: Final = 140  # of user data, its header included (9.2.3.24)

_LENGTHS: Final[dict[int, int]] = {CONCAT_8: 3, CONCAT_16: 4, PORTS_8: 2, PORTS_16: 4}
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+", re.ASCII)


class UdhInvalid(ValueError):  # noqa: N818  says what is wrong with the value
    """A header that no handset could read. `code` is always `udh_invalid`; the message says why."""

    code = "udh_invalid"


class Concatenation(NamedTuple):
    """One part's place (from 1) among `total`, all of them under one `reference`."""

    reference: int
    total: int
    place: int
    wide: bool = False


class Ports(NamedTuple):
    """Application port addressing."""

    destination: int
    source: int


class Element(NamedTuple):
    """One information element, uninterpreted."""

    identifier: int
    data: bytes


class Udh(NamedTuple):
    """A header that was read. `octets` is all of it, its length octet first."""

    octets: bytes
    elements: tuple[Element, ...]
    concatenation: Concatenation | None
    ports: Ports | None


def parse_udh(octets: bytes) -> Udh:
    """Read a whole header, its length octet first; raises UdhInvalid on anything a handset could misread."""
    if not octets or len(octets) != octets[0] + 1:
        raise UdhInvalid("the length octet does not match")
    if len(octets) > MAX_OCTETS:
        raise UdhInvalid("longer than a message")
    elements = _elements(octets)
    concatenation: Concatenation | None = None
    ports: Ports | None = None
    for identifier, data in elements:  # where an element is repeated, the last one counts (9.2.3.24)
        if identifier in (CONCAT_8, CONCAT_16):
            concatenation = _concatenation(identifier, data)
        elif identifier in (PORTS_8, PORTS_16):
            half = len(data) // 2
            ports = Ports(int.from_bytes(data[:half], "big"), int.from_bytes(data[half:], "big"))
    return Udh(octets, elements, concatenation, ports)


def split_user_data(user_data: bytes) -> tuple[Udh, bytes]:
    """Header and body of user data that starts with a header (esm_class bit 0x40); raises UdhInvalid."""
    if not user_data:
        raise UdhInvalid("no user data")
    end = user_data[0] + 1
    return parse_udh(user_data[:end]), user_data[end:]


def concatenation_udh(reference: int, total: int, place: int, *, wide: bool = False, others: bytes = b"") -> bytes:
    """The header of one part; `others` are further elements (no length octet) that go first.

    An 8-bit reference takes the low octet of `reference`, a 16-bit one the low two.
    """
    if not 1 <= place <= total <= 255:
        raise UdhInvalid(f"part {place} of {total}")
    if wide:
        element = bytes((CONCAT_16, 4, reference >> 8 & 0xFF, reference & 0xFF, total, place))
    else:
        element = bytes((CONCAT_8, 3, reference & 0xFF, total, place))
    return bytes((len(others) + len(element),)) + others + element


def ports_udh(destination: int, source: int) -> bytes:
    """The header that addresses two 16-bit application ports."""
    return bytes((6, PORTS_16, 4)) + destination.to_bytes(2, "big") + source.to_bytes(2, "big")


def client_udh(text: str, *, binary: bool) -> bytes:
    """The `udh` parameter of the legacy door (hex, any case) as a whole, checked header; raises UdhInvalid.

    `AABBCC` (reference, total, place) becomes `05 00 03 AA BB CC`. With binary content it may be a whole
    header instead. Three octets mean the short form, save `02 xx 00`, which is a whole header of one empty
    element (and as a short form would have place 0, which is refused anyhow).
    """
    if _HEX.fullmatch(text) is None:
        raise UdhInvalid("not hexadecimal")
    octets = bytes.fromhex(text)
    if len(octets) == 3 and not (binary and octets[0] == 2 and octets[2] == 0):
        return parse_udh(bytes((5, CONCAT_8, 3)) + octets).octets
    if not binary:
        raise UdhInvalid("with text, three octets: reference, total, place")
    return parse_udh(octets).octets


def _elements(octets: bytes) -> tuple[Element, ...]:
    elements: list[Element] = []
    at, end = 1, len(octets)
    while at < end:
        if at + 2 > end:
            raise UdhInvalid("an element without length")
        identifier, size = octets[at], octets[at + 1]
        at += 2
        if at + size > end:
            raise UdhInvalid(f"element 0x{identifier:02X} overruns the header")
        if _LENGTHS.get(identifier, size) != size:
            raise UdhInvalid(f"element 0x{identifier:02X} has {size} octets")
        elements.append(Element(identifier, octets[at : at + size]))
        at += size
    return tuple(elements)


def _concatenation(identifier: int, data: bytes) -> Concatenation:
    wide = identifier == CONCAT_16
    reference, total, place = int.from_bytes(data[:-2], "big"), data[-2], data[-1]
    if not 1 <= place <= total:
        raise UdhInvalid(f"part {place} of {total}")
    return Concatenation(reference, total, place, wide)
