"""What a message says: text, octets or a WAP push, brought into the one form that `message.accepted` carries."""

import re
from typing import Final, NamedTuple

from carillon.events.message import Encoding
from carillon.sms.segments import ContentInvalid, segment, segment_binary
from carillon.sms.udh import UdhInvalid, parse_udh
from carillon.sms.wap_push import WapPushInvalid, wap_push
from ingest.domain.refusal import CONTENT_EMPTY, Refusal

# 8-bit data of message class 1 (3GPP TS 23.038 clause 4), which is what handsets expect a push in
WAP_DATA_CODING: Final = 0xF5

_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+", re.ASCII)


class Content(NamedTuple):
    """Text, or octets in hex, with the header that the client gave; counted."""

    encoding: Encoding
    parts: int
    text: str | None = None
    data: str | None = None
    udh: str | None = None
    data_coding: int | None = None


def text_content(text: str, udh: bytes | None = None, *, split: bool = True) -> Content:
    """A text; `Refusal` where it takes more than one part and may not be split, or more than the header allows."""
    try:
        segments = segment(text, udh=udh)
    except ContentInvalid as error:
        raise Refusal(error.code, str(error), "text") from None
    parts = len(segments.parts)
    _check_parts(parts, split, "text")
    return Content(segments.encoding, parts, text=text, udh=udh.hex() if udh else None)


def binary_content(data: str, udh: bytes | None = None, *, split: bool = True) -> Content:
    """Octets given in hex; `Refusal` as for text."""
    if _HEX.fullmatch(data) is None:
        raise Refusal("hex_invalid", "not pairs of hexadecimal digits", "binary.data")
    return _octets(bytes.fromhex(data), udh, None, split, "binary.data")


def wap_content(url: str, title: str, *, split: bool = True) -> Content:
    """A link with its title, compiled for the handset's push port; `Refusal` as for text."""
    try:
        push = wap_push(url, title)
    except WapPushInvalid as error:
        raise Refusal(error.code, str(error), "wap_push.url" if "url" in error.code else "wap_push.title") from None
    return _octets(push.data, push.udh, WAP_DATA_CODING, split, "wap_push.url")


def whole_udh(value: str) -> bytes:
    """A header given in hex, its length octet first; `Refusal` when no handset could read it."""
    if _HEX.fullmatch(value) is None:
        raise Refusal(UdhInvalid.code, "not pairs of hexadecimal digits", "binary.udh")
    try:
        return parse_udh(bytes.fromhex(value)).octets
    except UdhInvalid as error:
        raise Refusal(error.code, str(error), "binary.udh") from None


def check_not_empty(value: str, field: str) -> None:
    """`Refusal` for nothing, or for blanks alone."""
    if not value or value.isspace():
        raise Refusal(CONTENT_EMPTY, "there is nothing to send", field)


def _octets(data: bytes, udh: bytes | None, data_coding: int | None, split: bool, field: str) -> Content:
    try:
        parts = len(segment_binary(data, udh).parts)
    except ContentInvalid as error:
        raise Refusal(error.code, str(error), field) from None
    _check_parts(parts, split, field)
    return Content("binary", parts, data=data.hex(), udh=udh.hex() if udh else None, data_coding=data_coding)


def _check_parts(parts: int, split: bool, field: str) -> None:
    if parts > 1 and not split:
        raise Refusal("content_too_long", f"{parts} SMS, one at most here", field)
