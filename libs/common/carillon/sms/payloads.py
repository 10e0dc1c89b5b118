"""What goes into submit_sm for each part: user data (header and body) and data_coding."""

import unicodedata

from msgspec import Struct

from carillon.sms import data_coding as codings
from carillon.sms.alphabet import DefaultAlphabet, NotEncodable, encode_for
from carillon.sms.segments import ContentInvalid, DataSegments, Segments, segment_ucs2
from carillon.sms.udh import concatenation_udh


class Payload(Struct, frozen=True, gc=False):
    """One part for the wire. `udh` is empty or a whole header; with one, esm_class has the bit 0x40."""

    udh: bytes
    body: bytes
    data_coding: int

    @property
    def user_data(self) -> bytes:
        """Header and body: the octets of short_message."""
        return self.udh + self.body


def payloads(segments: Segments, reference: int = 0, alphabet: DefaultAlphabet = "gsm") -> tuple[Payload, ...]:
    """The parts of a text, in order. `reference` is common to them and should differ from recent messages'.

    `alphabet` is what data_coding 0 means at the operator. Parts were counted and priced before: their
    number never changes here. GSM text that such an alphabet lacks goes as UCS-2 where that takes the same
    number of parts, else with plain characters in place of the missing ones.
    """
    if segments.encoding == "ucs2":
        return _ucs2_payloads(segments, reference)
    try:
        bodies = [encode_for(alphabet, part) for part in segments.parts]
    except NotEncodable:
        wide = _same_count_in_ucs2(segments)
        if wide is not None:
            return _ucs2_payloads(wide, reference)
        bodies = [_closest(alphabet, part) for part in segments.parts]
    return _with_headers(segments, bodies, reference, codings.DEFAULT)


def data_payloads(segments: DataSegments, reference: int = 0, data_coding: int = codings.BINARY) -> tuple[Payload, ...]:
    """The parts of binary content, in order."""
    return _with_headers(segments, list(segments.parts), reference, data_coding)


def _ucs2_payloads(segments: Segments, reference: int) -> tuple[Payload, ...]:
    bodies = [part.encode("utf-16-be") for part in segments.parts]
    return _with_headers(segments, bodies, reference, codings.UCS2)


def _with_headers(
    segments: Segments | DataSegments, bodies: list[bytes], reference: int, data_coding: int
) -> tuple[Payload, ...]:
    total = len(bodies)
    if total == 1:
        return (Payload(segments.udh, bodies[0], data_coding),)
    return tuple(
        Payload(
            concatenation_udh(reference, total, place, wide=segments.wide_ref, others=segments.udh[1:]),
            body,
            data_coding,
        )
        for place, body in enumerate(bodies, 1)
    )


def _same_count_in_ucs2(segments: Segments) -> Segments | None:
    text = "".join(segments.parts)
    try:
        wide = segment_ucs2(text, wide_ref=segments.wide_ref, udh=segments.udh)
    except ContentInvalid:
        return None
    return wide if len(wide.parts) == len(segments.parts) else None


def _closest(alphabet: DefaultAlphabet, text: str) -> bytes:
    """`text` with a plain letter, or else a question mark, for each missing character."""
    return b"".join(_closest_character(alphabet, character) for character in text)


def _closest_character(alphabet: DefaultAlphabet, character: str) -> bytes:
    for candidate in (character, unicodedata.normalize("NFKD", character)[0]):
        try:
            return encode_for(alphabet, candidate)
        except NotEncodable:
            continue
    return b"?"
