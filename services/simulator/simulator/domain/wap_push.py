"""Reads a WAP push service indication back: WSP push (WAP-230), then WBXML 1.2 of SI 1.0 (WAP-167, 8.3)."""

from typing import Final

_PUSH: Final = 0x06
_SI: Final = 0x05  # public id, also the tag <si>
_STRING, _OPAQUE, _END = 0x03, 0xC3, 0x01
_INDICATION: Final = 0x06
_HREFS: Final = {0x0B: "", 0x0C: "http://", 0x0D: "http://www.", 0x0E: "https://", 0x0F: "https://www."}
_VALUES: Final = {0x85: ".com/", 0x86: ".edu/", 0x87: ".net/", 0x88: ".org/"}


def read_push(body: bytes) -> tuple[str, str] | None:
    """The address and the title of a push, without its user data header; None when it is no service indication."""
    try:
        if body[1] != _PUSH:
            return None
        document = body[3 + body[2] :]
        if document[1] != _SI:
            return None
        return _indication(document[4 + document[3] :])
    except (IndexError, ValueError):
        return None


def _indication(tokens: bytes) -> tuple[str, str] | None:
    """`<si><indication href=...>title</indication></si>`: tags with 0x40 have content, with 0x80 attributes."""
    if tokens[0] & 0x3F != _SI or tokens[1] & 0x3F != _INDICATION:
        return None
    href, at = ("", 2)
    if tokens[1] & 0x80:
        href, at = _attributes(tokens, at)
    title = ""
    while at < len(tokens) and tokens[at] == _STRING:
        text, at = _string(tokens, at)
        title += text
    return href, title


def _attributes(tokens: bytes, at: int) -> tuple[str, int]:
    href, inside = "", False
    while tokens[at] != _END:
        token = tokens[at]
        if token == _STRING:
            text, at = _string(tokens, at)
            href += text if inside else ""
            continue
        if token == _OPAQUE:  # a date: its length, then its octets
            at += 2 + tokens[at + 1]
            continue
        if token < 0x80:
            inside = token in _HREFS
            href += _HREFS.get(token, "")
        elif inside:
            href += _VALUES.get(token, "")
        at += 1
    return href, at + 1


def _string(tokens: bytes, at: int) -> tuple[str, int]:
    end = tokens.index(0, at)
    return tokens[at + 1 : end].decode("utf-8", "replace"), end + 1
