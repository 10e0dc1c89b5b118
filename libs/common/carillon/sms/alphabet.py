"""The GSM 7-bit default alphabet and its extension table, one septet an octet, as SMPP carries them.

Tables: 3GPP TS 23.038 clause 6.2.1 (default alphabet) and clause 6.2.1.1 (extension table). The national
language shift tables of its annex A are not used: operators convert or refuse them.
"""

import codecs
import re
from typing import Final, Literal, get_args

DefaultAlphabet = Literal["gsm", "latin1", "ascii"]
DEFAULT_ALPHABETS: Final[tuple[DefaultAlphabet, ...]] = get_args(DefaultAlphabet)

ESCAPE: Final = 0x1B
_ESCAPE_OCTET: Final = b"\x1b"
_UNDEFINED: Final = "\ufffe"  # what a charmap takes for "no character here"

# TS 23.038, 6.2.1: sixteen characters a line, code 0x00 first. 0x1B is the escape.
_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    f"Δ_ΦΓΛΩΠΨΣΘΞ{_UNDEFINED}ÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)

# TS 23.038, 6.2.1.1: the code that follows the escape.
_EXTENSION: Final[dict[int, str]] = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}

GSM_BASIC: Final[frozenset[str]] = frozenset(_BASIC) - {_UNDEFINED}
GSM_EXTENSION: Final[frozenset[str]] = frozenset(_EXTENSION.values())

# One charmap holds both tables while we count: an extension character is its code plus 0x80, so that "is there
# any pair" is bytes.isascii() and "how many" one bytes.translate(). Python's fast charmap wants U+0000 at 0x00:
# the @, which GSM has there, stands at the escape's place meanwhile.
_MARKED_TABLE: Final = (
    "\0" + _BASIC[1:].replace(_UNDEFINED, "@") + "".join(_EXTENSION.get(code, _UNDEFINED) for code in range(128))
)
_MARKED: Final = codecs.charmap_build(_MARKED_TABLE)
_SINGLE: Final = bytes(range(128))
_PAIRS: Final = tuple((bytes((0x80 + code,)), bytes((ESCAPE, code))) for code in _EXTENSION)
_ESCAPED: Final = re.compile(rb"\x1b(.?)", re.DOTALL)
_DECODED: Final = _BASIC.replace(_UNDEFINED, " ")


class NotEncodable(ValueError):  # noqa: N818  says what is wrong with the value
    """A character that an alphabet lacks. `position` counts characters from 0."""

    def __init__(self, alphabet: str, character: str, position: int) -> None:
        super().__init__(f"U+{ord(character):04X} at {position} is not in the alphabet {alphabet}")
        self.code = "not_encodable"
        self.character = character
        self.position = position


def mark(text: str) -> bytes | None:
    """One octet a character, those of the extension table over 0x7F; None when `text` is not GSM.

    For counting and cutting; only `unmark` makes septets of it.
    """
    if "\0" in text:
        return None
    try:
        return codecs.charmap_encode(text, "strict", _MARKED)[0]
    except UnicodeEncodeError:
        return None


def unmark(marked: bytes) -> bytes:
    """The septets of `marked`, one an octet: each extension character becomes its escape pair."""
    marked = marked.replace(_ESCAPE_OCTET, b"\0")
    if marked.isascii():
        return marked
    for one, two in _PAIRS:
        if one in marked:
            marked = marked.replace(one, two)
    return marked


def pairs_in(marked: bytes) -> int:
    """How many characters of `marked` take two septets."""
    return 0 if marked.isascii() else len(marked.translate(None, _SINGLE))


def is_gsm(text: str) -> bool:
    """Whether the default alphabet and its extension table hold all of `text`."""
    return mark(text) is not None


def septets(text: str) -> int:
    """Septets that `text` takes; raises NotEncodable when it is not GSM."""
    marked = mark(text)
    if marked is None:
        raise _first_missing("gsm", text)
    return len(marked) + pairs_in(marked)


def encode_gsm(text: str) -> bytes:
    """`text` as unpacked septets, one an octet; raises NotEncodable."""
    marked = mark(text)
    if marked is None:
        raise _first_missing("gsm", text)
    return unmark(marked)


def decode_gsm(octets: bytes) -> str:
    """Text of unpacked septets. Never raises.

    A pair that the extension table lacks shows the basic character (6.2.1.1); an escape that stands last,
    or twice, is a space. An octet over 0x7F cannot be GSM: operators that send one mean Latin-1, and it is
    read so.
    """
    if octets.isascii() and ESCAPE not in octets:
        return codecs.charmap_decode(octets, "strict", _BASIC)[0]
    return "".join(_decode_runs(octets))


def _decode_runs(octets: bytes) -> list[str]:
    runs: list[str] = []
    start = 0
    for escape in _ESCAPED.finditer(octets):
        runs.append(_decode_plain(octets[start : escape.start()]))
        code = escape[1]
        known = _EXTENSION.get(code[0]) if code else None
        runs.append(known or (_decode_plain(code) if code else " "))
        start = escape.end()
    runs.append(_decode_plain(octets[start:]))
    return runs


def _decode_plain(octets: bytes) -> str:
    if octets.isascii():
        return codecs.charmap_decode(octets, "strict", _DECODED)[0]
    return "".join(_DECODED[octet] if octet < 0x80 else chr(octet) for octet in octets)


def encode_for(alphabet: DefaultAlphabet, text: str) -> bytes:
    """`text` in an operator's default alphabet: what data_coding 0 means there. Raises NotEncodable."""
    if alphabet == "gsm":
        return encode_gsm(text)
    try:
        return text.encode("latin-1" if alphabet == "latin1" else "ascii")
    except UnicodeEncodeError as error:
        raise NotEncodable(alphabet, text[error.start], error.start) from None


def decode_for(alphabet: DefaultAlphabet, octets: bytes) -> str:
    """Text of octets in an operator's default alphabet. Never raises: what ASCII lacks is read as Latin-1."""
    return decode_gsm(octets) if alphabet == "gsm" else octets.decode("latin-1")


def _first_missing(alphabet: str, text: str) -> NotEncodable:
    known = GSM_BASIC | GSM_EXTENSION
    position = next(at for at, character in enumerate(text) if character not in known)
    return NotEncodable(alphabet, text[position], position)
