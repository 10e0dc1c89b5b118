"""A list of numbers to suppress: the first column, or the one that a header names; one number a row."""

from collections.abc import AsyncIterator, Iterator
from typing import Final

from msgspec import Struct

from carillon.http.problem import Problem
from carillon.sms.numbers import NumberInvalid, recipient

MAX_LINE_BYTES: Final = 8_192
_HEADERS: Final = frozenset({"number", "numero", "num\u00e9ro", "telephone", "t\u00e9l\u00e9phone", "mobile", "phone"})
_SEPARATORS: Final = ";,\t"
_BOM: Final = b"\xef\xbb\xbf"


class Row(Struct, frozen=True):
    """A number in international digits, or why there is none. `line` from 1."""

    line: int
    number: str | None = None
    code: str | None = None


async def rows_of(body: AsyncIterator[bytes], country: str) -> AsyncIterator[Row]:
    """Rows as they come in; empty lines are none. UTF-8 (with or without BOM), else Windows-1252."""
    reading = _Reading(country)
    async for line in _lines(body):
        row = reading.row(line)
        if row is not None:
            yield row


class _Reading:
    def __init__(self, country: str) -> None:
        self._country = country
        self._line = 0
        self._column = 0
        self._seen = False

    def row(self, raw: bytes) -> Row | None:
        self._line += 1
        cells = list(_cells(_text(raw)))
        if not any(cells):
            return None
        if not self._seen:
            self._seen = True
            named = next((place for place, cell in enumerate(cells) if cell.casefold() in _HEADERS), None)
            if named is not None:
                self._column = named
                return None
        cell = cells[self._column] if self._column < len(cells) else ""
        try:
            return Row(self._line, recipient(cell, self._country))
        except NumberInvalid as error:
            return Row(self._line, code=error.code)


def _cells(text: str) -> Iterator[str]:
    separator = next((mark for mark in _SEPARATORS if mark in text), None)
    for cell in text.split(separator) if separator is not None else [text]:
        yield cell.strip().strip('"').strip()


def _text(raw: bytes) -> str:
    raw = raw.removeprefix(_BOM)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


async def _lines(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines end in CRLF, LF or CR; a CR at the end of a piece waits for the next."""
    rest = b""
    async for piece in body:
        lines = (rest + piece).splitlines(keepends=True)
        rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        for line in lines:
            yield line.rstrip(b"\r\n")
        if len(rest) > MAX_LINE_BYTES:
            raise Problem(422, "line_too_long", f"A line has {MAX_LINE_BYTES} bytes at most: this is no list.")
    if rest:
        yield rest.rstrip(b"\r\n")
