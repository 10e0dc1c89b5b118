"""Query strings and urlencoded forms of clients that were written long ago.

Percent-decoded as UTF-8 and, where that fails, as Windows-1252; names in any case; the first of a repeated name
counts; blanks around a value are trimmed.
"""

import codecs
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

# Windows-1252 leaves these undefined; browsers read them as the C1 controls of Latin-1, and so do we.
_UNDEFINED: Final = b"\x81\x8d\x8f\x90\x9d"
_CP1252: Final = "".join(
    chr(octet) if octet in _UNDEFINED else bytes((octet,)).decode("cp1252") for octet in range(256)
)


def decode_cp1252(octets: bytes) -> str:
    """Windows-1252. Never raises."""
    return codecs.charmap_decode(octets, "strict", _CP1252)[0]


def decode_text(octets: bytes) -> str:
    """UTF-8, or else Windows-1252. Never raises."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return decode_cp1252(octets)


def decode_form(form: bytes, wanted: Mapping[bytes, str]) -> dict[str, str]:
    """The parameters that are `wanted` (names in lower case, as octets too); every other is ignored. Never raises."""
    found: dict[str, str] = {}
    for pair in form.split(b"&"):
        raw_name, _, raw_value = pair.partition(b"=")
        name = wanted.get(raw_name) or wanted.get(_unquote(raw_name).strip().lower())
        if name is not None and name not in found:
            found[name] = decode_text(_unquote(raw_value)).strip()
    return found


def _unquote(octets: bytes) -> bytes:
    if b"+" in octets:
        octets = octets.replace(b"+", b" ")
    return unquote_to_bytes(octets) if b"%" in octets else octets
