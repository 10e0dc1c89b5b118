"""Fields that all PDUs are made of: C-octet strings (SMPP 3.4, 3.1) and optional parameters (3.2.4)."""

import struct
from collections.abc import Mapping

from carillon.smpp.constants import Status
from carillon.smpp.errors import PduError

_TLV_HEADER = struct.Struct(">HH")


def c_octets(value: str, size_bytes: int, status: int = Status.INVPARLEN) -> bytes:
    """Write a C-octet string of at most `size_bytes`, NUL counted; `PduError(status)` when it does not fit.

    ASCII without NUL only: what a client wrote must not become the operator's next field.
    """
    if len(value) >= size_bytes or not value.isascii() or "\0" in value:
        raise PduError(status, "text is too long, not ASCII or has a NUL")
    return value.encode("ascii") + b"\0"


def octets(*values: int) -> bytes:
    """Write one-octet integers."""
    try:
        return bytes(values)
    except (ValueError, TypeError):
        raise PduError(Status.INVPARLEN, "an integer is not 0..255") from None


def encode_tlvs(tlvs: Mapping[int, bytes]) -> bytes:
    """Write optional parameters in the order given."""
    try:
        return b"".join([_TLV_HEADER.pack(tag, len(value)) + value for tag, value in tlvs.items()])
    except (struct.error, TypeError):
        raise PduError(Status.INVOPTPARSTREAM, "a tag or length is not 0..65535") from None


def decode_tlvs(body: bytes, position: int) -> tuple[dict[int, bytes], bool]:
    """Read optional parameters up to the end, and whether they were well-formed.

    What came before a broken one is kept; of a repeated tag the last counts.
    """
    tlvs: dict[int, bytes] = {}
    end = len(body)
    while position + 4 <= end:
        tag, length = _TLV_HEADER.unpack_from(body, position)
        position += 4 + length
        if position > end:
            return tlvs, False
        tlvs[tag] = body[position - length : position]
    return tlvs, position == end


class Reader:
    """Reads a body field by field; `PduError` when it ends too early or a text is too long."""

    __slots__ = ("_body", "_position")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._position = 0

    def text(self, size_bytes: int, status: int = Status.INVPARLEN) -> str:
        """A C-octet string of at most `size_bytes`, NUL counted, read as Latin-1, which takes any octet."""
        end = self._body.find(0, self._position, self._position + size_bytes)
        if end < 0:
            raise PduError(status, "text is too long or has no end")
        text = self._body[self._position : end].decode("latin-1")
        self._position = end + 1
        return text

    def octet(self) -> int:
        """A one-octet integer."""
        return self.data(1)[0]

    def data(self, size_bytes: int) -> bytes:
        """So many octets."""
        end = self._position + size_bytes
        if end > len(self._body):
            raise PduError(Status.INVCMDLEN, "body ends too early")
        data = self._body[self._position : end]
        self._position = end
        return data

    def rest(self) -> bytes:
        """All that is left."""
        return self._body[self._position :]

    def tlvs(self) -> tuple[dict[int, bytes], bool]:
        """All that is left, see `decode_tlvs`."""
        return decode_tlvs(self._body, self._position)
