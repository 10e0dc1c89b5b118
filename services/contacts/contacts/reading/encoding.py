"""Which encoding a file is in, learnt while its bytes pass.

A file without a single invalid sequence is UTF-8. Anything else is Windows-1252 or MacRoman: each byte above 127 is
read as both, and the reading that gives more of what names are written with wins.
"""

import codecs
import re
from collections import Counter
from typing import Final, Literal

Encoding = Literal["utf-8", "cp1252", "mac_roman"]
ENCODINGS: Final[tuple[Encoding, ...]] = ("utf-8", "cp1252", "mac_roman")
UTF8_BOM: Final = b"\xef\xbb\xbf"
UTF16_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")

_HIGH: Final = re.compile(rb"([A-Z]{2}|[a-z])?([\x80-\xff])")
_OTHER: Final = b""
_SMALL: Final = b"a"
_CAPITALS_BEFORE: Final = b"AA"
_WRONG_CASE: Final = 0.5
_COMMON: Final = "éèàçêôùîïâëûœäöüß"
_CAPITALS: Final = "ÉÈÀÇÊÔÎÄÖÜ"
_LETTERS: Final = "áíóúñãõåøæÁÍÓÚÑÃÕÅØÆÙÏÂËÛŒìòÌÒÿŸ"
_MARKS: Final = "’«»€°–…\u00a0"


def _weight(character: str) -> float:
    """How likely a character is in a list of names."""
    for characters, weight in ((_COMMON, 1.0), (_CAPITALS, 0.8), (_LETTERS, 0.5), (_MARKS, 0.4)):
        if character in characters:
            return weight
    return -1.0


def _weights(encoding: str) -> dict[tuple[bytes, int], float]:
    """By what stands before a byte (two capitals, a small letter, or anything else) and the byte."""
    found: dict[tuple[bytes, int], float] = {}
    for octet in range(128, 256):
        character = bytes((octet,)).decode(encoding, "replace")
        weight = _weight(character)
        found[_OTHER, octet] = weight
        found[_SMALL, octet] = weight - _WRONG_CASE * character.isupper()
        found[_CAPITALS_BEFORE, octet] = weight - _WRONG_CASE * character.islower()
    return found


_CP1252: Final = _weights("cp1252")
_MAC_ROMAN: Final = _weights("mac_roman")


class Sniffer:
    """Is shown all bytes of a file, in order, and then says their encoding."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._is_utf8 = True
        self._has_bom: bool | None = None
        self._high: Counter[tuple[bytes, bytes]] = Counter()

    def take(self, data: bytes) -> None:
        """The next bytes."""
        if self._has_bom is None and data:
            self._has_bom = data.startswith(UTF8_BOM)
        if self._is_utf8:
            try:
                self._decoder.decode(data)
            except UnicodeDecodeError:
                self._is_utf8 = False
        if not data.isascii():
            self._high.update(_HIGH.findall(data))

    def verdict(self) -> Encoding:
        """After the last byte. A byte order mark settles it, whatever comes after."""
        if self._has_bom:
            return "utf-8"
        if self._is_utf8:
            try:
                self._decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                self._is_utf8 = False
        if self._is_utf8:
            return "utf-8"
        return "mac_roman" if self._score(_MAC_ROMAN) > self._score(_CP1252) else "cp1252"

    def _score(self, weights: dict[tuple[bytes, int], float]) -> float:
        return sum(weights[_before(before), octet[0]] * count for (before, octet), count in self._high.items())


def _before(before: bytes) -> bytes:
    return _OTHER if not before else _SMALL if len(before) == 1 else _CAPITALS_BEFORE


def decode(data: bytes, encoding: Encoding) -> str:
    """Text of a line. Never raises: a byte that means nothing becomes U+FFFD."""
    return data.decode(encoding, "replace")
