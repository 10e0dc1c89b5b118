"""The bytes of an upload on their way to the store: what kind of file it is, its digest, its encoding."""

import codecs
import hashlib

from contacts.domain.errors import InvalidError
from contacts.domain.import_ import Format
from contacts.reading.encoding import UTF8_BOM, UTF16_BOMS, Encoding, Sniffer

_ZIP = b"PK\x03\x04"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_PDF = b"%PDF"
_HEAD = 4


class Intake:
    """Takes pieces of a file in order, gives what is to be stored. UTF-16 is stored as UTF-8, without a mark.

    InvalidError for what is neither text nor a workbook.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._sniffer = Sniffer()
        self._head: bytes | None = b""
        self._utf16: codecs.IncrementalDecoder | None = None
        self.format: Format = "csv"
        self.size_bytes = 0

    def take(self, data: bytes) -> bytes:
        """The next piece."""
        self._digest.update(data)
        self.size_bytes += len(data)
        if self._head is not None:
            self._head += data
            if len(self._head) < _HEAD:
                return b""
            data, self._head = self._head, None
            return self._begin(data)
        return self._go_on(data)

    def finish(self) -> bytes:
        """After the last piece: what is still to be stored."""
        rest = b""
        if self._head is not None:
            head, self._head = self._head, None
            rest = self._begin(head)
        if self._utf16 is not None:
            rest += self._utf16.decode(b"", final=True).encode("utf-8", "replace")
        if self.size_bytes == 0:
            raise InvalidError("file_empty", "the file is empty", "file")
        return rest

    @property
    def sha256(self) -> str:
        """Of the file as it was sent, hex."""
        return self._digest.hexdigest()

    @property
    def encoding(self) -> Encoding:
        """Of what is stored."""
        return "utf-8" if self._utf16 is not None else self._sniffer.verdict()

    def _begin(self, data: bytes) -> bytes:
        if data.startswith(_ZIP):
            self.format = "xlsx"
        elif data.startswith(_OLD_EXCEL):
            raise InvalidError("file_old_excel", "this is an .xls of Excel 97: save it as .xlsx or as CSV", "file")
        elif data.startswith(_PDF):
            raise _not_text()
        elif data.startswith(UTF16_BOMS):
            self._utf16 = codecs.getincrementaldecoder("utf-16")("replace")
        elif data.startswith(UTF8_BOM):
            self._sniffer.take(UTF8_BOM)
            data = data.removeprefix(UTF8_BOM)
        return self._go_on(data)

    def _go_on(self, data: bytes) -> bytes:
        if self.format == "xlsx":
            return data
        if self._utf16 is not None:
            return self._utf16.decode(data).encode("utf-8", "replace")
        if b"\x00" in data:
            raise _not_text()
        self._sniffer.take(data)
        return data


def _not_text() -> InvalidError:
    return InvalidError("file_unreadable", "this is neither a text file (CSV) nor a workbook (.xlsx)", "file")
