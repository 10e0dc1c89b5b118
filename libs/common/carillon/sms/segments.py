"""How a text or data is cut into parts: the one place that counts, for console, API, quote and dispatcher.

An SMS holds 140 octets of user data, header included: 160 septets, 70 UCS-2 units (3GPP TS 23.040 clause
9.2.3.24). With the 6 octets of an 8-bit concatenation header 153, 67 or 134 are left; with the 7 of a
16-bit one 152, 66 or 133. A pair (escape and code, or two surrogates) never straddles two parts.
"""

from typing import Final, Literal, TypeVar

from msgspec import Struct

from carillon.sms.alphabet import mark, pairs_in
from carillon.sms.udh import MAX_OCTETS, parse_udh

TextEncoding = Literal["gsm", "ucs2"]
_Part = TypeVar("_Part", str, bytes)
MAX_PARTS: Final = 255
_CONCAT_OCTETS: Final = 5  # identifier, length, reference, total, place; one more with a 16-bit reference
_PLAIN_GSM: Final = MAX_OCTETS * 8 // 7
_PLAIN_UCS2: Final = MAX_OCTETS // 2


class ContentInvalid(ValueError):  # noqa: N818  says what is wrong with the value
    """Content that cannot be sent as it is. `code` is `content_too_long` or `content_not_unicode`."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Segments(Struct, frozen=True, gc=False):
    """A text in parts. Units are septets (gsm) or UTF-16 code units (ucs2).

    `parts` are slices of the text: joined they are the text again. `part_units` is what one part holds and
    `units_left` what still fits into the last one. `udh` is the header that the client gave, if any.
    """

    encoding: TextEncoding
    parts: tuple[str, ...]
    units: int
    part_units: int
    units_left: int
    wide_ref: bool = False
    udh: bytes = b""


class DataSegments(Struct, frozen=True, gc=False):
    """Binary content in parts; units are octets, otherwise as Segments."""

    parts: tuple[bytes, ...]
    part_units: int
    units_left: int
    wide_ref: bool = False
    udh: bytes = b""


def segment(text: str, *, wide_ref: bool = False, udh: bytes | None = None) -> Segments:
    """Cut `text` into as few parts as it takes, as GSM where that is possible and UCS-2 where it is not.

    `udh` is a whole header given by the client; where it concatenates already, the text must fit one part.
    Raises ContentInvalid (over 255 parts, over one part with such a header, unpaired surrogates), UdhInvalid.
    """
    marked = mark(text)
    if marked is None:
        return segment_ucs2(text, wide_ref=wide_ref, udh=udh)
    units = len(marked) + pairs_in(marked)
    single = _PLAIN_GSM if not udh else (MAX_OCTETS - len(udh)) * 8 // 7
    if units <= single:
        return Segments("gsm", (text,), units, single, single - units, wide_ref, udh or b"")
    limit = _body_octets(udh, wide_ref) * 8 // 7
    if units == len(marked):
        parts = [text[start : start + limit] for start in range(0, units, limit)]
        left = len(parts) * limit - units
    else:
        parts, left = _cut_gsm(text, marked, limit)
    return Segments("gsm", _bounded(parts), units, limit, left, wide_ref, udh or b"")


def segment_ucs2(text: str, *, wide_ref: bool = False, udh: bytes | None = None) -> Segments:
    """As `segment`, in UCS-2 whatever the text is."""
    try:
        octets = text.encode("utf-16-be")
    except UnicodeEncodeError as error:
        raise ContentInvalid("content_not_unicode", f"unpaired surrogate at {error.start}") from None
    units = len(octets) // 2
    single = _PLAIN_UCS2 if not udh else (MAX_OCTETS - len(udh)) // 2
    if units <= single:
        return Segments("ucs2", (text,), units, single, single - units, wide_ref, udh or b"")
    limit = _body_octets(udh, wide_ref) // 2
    if units == len(text):
        parts = [text[start : start + limit] for start in range(0, units, limit)]
        left = len(parts) * limit - units
    else:
        parts, left = _cut_ucs2(octets, limit)
    return Segments("ucs2", _bounded(parts), units, limit, left, wide_ref, udh or b"")


def segment_binary(data: bytes, udh: bytes | None = None, *, wide_ref: bool = False) -> DataSegments:
    """Cut `data` into parts of 140 octets less the header; raises as `segment`."""
    single = MAX_OCTETS - len(udh or b"")
    if len(data) <= single:
        return DataSegments((data,), single, single - len(data), wide_ref, udh or b"")
    limit = _body_octets(udh, wide_ref)
    parts = [data[start : start + limit] for start in range(0, len(data), limit)]
    return DataSegments(_bounded(parts), limit, len(parts) * limit - len(data), wide_ref, udh or b"")


def _body_octets(udh: bytes | None, wide_ref: bool) -> int:
    """Octets of a part once concatenation is added to the header; a client's own cannot be added to."""
    if udh and parse_udh(udh).concatenation is not None:
        raise ContentInvalid("content_too_long", "more than one part, and the header given is one part's")
    octets = MAX_OCTETS - (len(udh) if udh else 1) - _CONCAT_OCTETS - wide_ref
    if octets < 4:  # one surrogate pair
        raise ContentInvalid("content_too_long", "the header leaves no room")
    return octets


def _bounded(parts: list[_Part]) -> tuple[_Part, ...]:
    if len(parts) > MAX_PARTS:
        raise ContentInvalid("content_too_long", f"{len(parts)} parts")
    return tuple(parts)


def _cut_gsm(text: str, marked: bytes, limit: int) -> tuple[list[str], int]:
    parts: list[str] = []
    start, end, left = 0, len(marked), 0
    while start < end:
        size = min(limit, end - start)
        # Taking half of the excess away can only be too little, never too much: a character weighs 2 at most.
        while (over := size + pairs_in(marked[start : start + size]) - limit) > 0:
            size -= (over + 1) // 2
        left = -over
        parts.append(text[start : start + size])
        start += size
    return parts, left


def _cut_ucs2(octets: bytes, limit: int) -> tuple[list[str], int]:
    parts: list[str] = []
    start, end, left = 0, len(octets), 0
    while start < end:
        stop = min(start + 2 * limit, end)
        if stop < end and octets[stop] & 0xFC == 0xDC:  # the next unit is the second of a surrogate pair
            stop -= 2
        left = limit - (stop - start) // 2
        parts.append(octets[start:stop].decode("utf-16-be"))
        start = stop
    return parts, left
