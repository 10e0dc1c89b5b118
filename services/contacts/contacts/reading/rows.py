"""From bytes to rows of cells, in whatever pieces the bytes come (RFC 4180, read leniently).

Lines end in CRLF, LF or CR. A cell that begins with a quotation mark may hold separators, line ends and doubled
marks; a mark that is never closed holds up nothing: its line is taken as it is written.
"""

from typing import Final, NamedTuple

from contacts.reading.encoding import Encoding, decode

MAX_ROW_BYTES: Final = 65_536
MAX_QUOTED_LINES: Final = 50


class Row(NamedTuple):
    """Cells of the row that begins in line `line`; the next one begins at `end` (bytes), in line `next_line`."""

    line: int
    cells: list[str]
    end: int
    next_line: int


class RowSplitter:
    """Fed with bytes from `offset` on, which is the beginning of line `line`; gives rows as they are complete.

    A line of more than 64 KiB becomes a row without cells.
    """

    def __init__(self, separator: str, encoding: Encoding, *, offset: int = 0, line: int = 1) -> None:
        self._separator = separator
        self._encoding = encoding
        self._offset = offset
        self._line = line
        self._rest = b""
        self._skipped = 0
        self._open: list[bytes] = []  # lines of a row with a mark that is not closed yet
        self._open_bytes = 0

    def feed(self, data: bytes) -> list[Row]:
        """The rows that these bytes complete."""
        lines = (self._rest + data).splitlines(keepends=True)
        self._rest = b""
        if lines and not lines[-1].endswith(b"\n"):  # a CR may have its LF in the next piece
            self._rest = lines.pop()
        rows: list[Row] = []
        for line in lines:
            self._take(line, rows)
        if len(self._rest) > MAX_ROW_BYTES and not self._rest.endswith(b"\r"):
            self._skipped += len(self._rest)
            self._rest = b""
        return rows

    def finish(self) -> list[Row]:
        """The rows that the end of the file completes."""
        rows: list[Row] = []
        last, self._rest = self._rest, b""
        if last or self._skipped:
            self._take(last, rows)
        while self._open:
            self._give_up(rows)
        return rows

    def _take(self, line: bytes, rows: list[Row]) -> None:
        if self._skipped or len(line) > MAX_ROW_BYTES:
            while self._open:
                self._give_up(rows)
            self._emit([], self._skipped + len(line), 1, rows)
            self._skipped = 0
        elif self._open:
            self._take_inside_quotes(line, rows)
        elif b'"' not in line:
            text = decode(line, self._encoding).rstrip("\r\n")
            self._emit(text.split(self._separator), len(line), 1, rows)
        else:
            cells = quoted_cells(decode(line, self._encoding).rstrip("\r\n"), self._separator)
            if cells is None:
                self._open, self._open_bytes = [line], len(line)
            else:
                self._emit(cells, len(line), 1, rows)

    def _take_inside_quotes(self, line: bytes, rows: list[Row]) -> None:
        self._open.append(line)
        self._open_bytes += len(line)
        if b'"' in line:
            text = decode(b"".join(self._open), self._encoding).rstrip("\r\n")
            cells = quoted_cells(text, self._separator)
            if cells is not None:
                count, size = len(self._open), self._open_bytes
                self._open = []
                self._emit(cells, size, count, rows)
                return
        if len(self._open) > MAX_QUOTED_LINES or self._open_bytes > MAX_ROW_BYTES:
            self._give_up(rows)

    def _give_up(self, rows: list[Row]) -> None:
        """The mark was no quotation: the first line is a row as it is written, the others are read anew."""
        first, *others = self._open
        self._open = []
        text = decode(first, self._encoding).rstrip("\r\n")
        self._emit(text.split(self._separator), len(first), 1, rows)
        for line in others:
            self._take(line, rows)

    def _emit(self, cells: list[str], size: int, lines: int, rows: list[Row]) -> None:
        line = self._line
        self._offset += size
        self._line += lines
        rows.append(Row(line, cells, self._offset, self._line))


def quoted_cells(text: str, separator: str) -> list[str] | None:
    """Cells of a row that has quotation marks; None when one is still open at the end."""
    cells: list[str] = []
    at = 0
    while True:
        value = ""
        if text.startswith('"', at):
            end = _closing(text, at + 1)
            if end < 0:
                return None
            value = text[at + 1 : end].replace('""', '"')
            at = end + 1
        stop = text.find(separator, at)
        if stop < 0:
            cells.append(value + text[at:])
            return cells
        cells.append(value + text[at:stop])
        at = stop + 1


def _closing(text: str, at: int) -> int:
    """Where the quotation ends: at the first mark that is not doubled; -1: nowhere."""
    while True:
        at = text.find('"', at)
        if at < 0 or not text.startswith('""', at):
            return at
        at += 2
