"""SMPP data_coding: from octets that an operator or a client sent to text, or to nothing when they are data.

SMPP 3.4 clause 5.2.19; values of 0x10 and over are the coding groups of 3GPP TS 23.038 clause 4.
"""

from typing import Final

from carillon.sms.alphabet import DefaultAlphabet, decode_for

DEFAULT: Final = 0x00
LATIN1: Final = 0x03
BINARY: Final = 0x04
UCS2: Final = 0x08

_CODECS: Final[dict[int, str]] = {
    0x01: "latin-1",  # IA5 (CCITT T.50) / ASCII; its upper half is undefined, and Latin-1 where it occurs
    LATIN1: "latin-1",
    0x06: "iso8859-5",
    0x07: "iso8859-8",
    UCS2: "utf-16-be",
}
_DATA: Final = frozenset({0x02, BINARY})  # octets unspecified, 8-bit binary


def decode_text(octets: bytes, data_coding: int, alphabet: DefaultAlphabet = "gsm") -> str | None:
    """Text of a message's body without its UDH; None when `data_coding` says that it is data. Never raises.

    `alphabet` is what data_coding 0 means on this connection.
    """
    if data_coding == DEFAULT:
        return decode_for(alphabet, octets)
    codec = _CODECS.get(data_coding)
    if codec is not None:
        return octets.decode(codec, "replace")
    if data_coding in _DATA or _is_gsm_data(data_coding):
        return None
    if _is_gsm_ucs2(data_coding):
        return octets.decode("utf-16-be", "replace")
    return decode_for(alphabet, octets)


def _is_gsm_data(data_coding: int) -> bool:
    """Group 1111 (message class) with bit 2, and the general group 0001 with character set 01."""
    return data_coding & 0xF4 == 0xF4 or data_coding & 0xFC == 0x14


def _is_gsm_ucs2(data_coding: int) -> bool:
    """Group 1110 (message waiting, UCS-2), and the general group 0001 with character set 10."""
    return data_coding & 0xF0 == 0xE0 or data_coding & 0xFC == 0x18
