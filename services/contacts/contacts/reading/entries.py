"""From the cells of a row to what it says of a number, or to why it is refused."""

import re
from typing import Final

from msgspec import Struct

from contacts.domain.contact import MAX_ATTRIBUTE, MAX_NAME
from contacts.reading.header import Columns
from contacts.reading.numbers import DETAILS as NUMBER_DETAILS
from contacts.reading.numbers import UnreadableError, read_number
from contacts.reading.rows import Row

MAX_CONTENT: Final = 200
MAX_GROUP_NAME: Final = 100
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}", re.ASCII)

DETAILS: Final = {
    **NUMBER_DETAILS,
    "row_too_long": "this row is longer than 64 KiB",
    "number_erased": "this person was erased and stays so",
    "columns_ignored": "there are more than three columns and no header that names them: the rest was left out",
    "column_unnamed": "a column without a name in the header was left out",
    "value_shortened": "a value was too long and was cut",
    "language_unknown": "this is no language, such as fr or pt-BR: it was left out",
}


class Entry(Struct, frozen=True, gc=False):
    """A row that can be used. `group` is a name as it is written; `notes` are keys of DETAILS."""

    line: int
    number: str
    name: str
    group: str
    language: str | None
    attributes: dict[str, str]
    notes: tuple[str, ...]


class Refusal(Struct, frozen=True, gc=False):
    """A row that cannot be used: `code` is a key of DETAILS, `content` what the row says, cut."""

    line: int
    code: str
    content: str


_NO_ATTRIBUTES: Final[dict[str, str]] = {}


def is_blank(row: Row) -> bool:
    """A row without anything in it is none."""
    cells = row.cells
    return len(cells) > 0 and not "".join(cells).strip()


def entry_of(row: Row, columns: Columns, country: str) -> Entry | Refusal:
    """What a row says. It never raises: a bad row holds up nothing else."""
    cells = row.cells
    if not cells:
        return Refusal(row.line, "row_too_long", "")
    try:
        number, note = read_number(_cell(cells, columns.number), country)
    except UnreadableError as error:
        return Refusal(row.line, error.code, content_of(cells))
    notes: tuple[str, ...] = () if note is None else (note,)
    name = _cell(cells, columns.name)
    group = _cell(cells, columns.group)
    language = None
    attributes = _NO_ATTRIBUTES
    if columns.has_header:
        language, notes = _language(_cell(cells, columns.language), notes)
        attributes, notes = _attributes(cells, columns, notes)
    elif len(cells) > 3 and any(cell.strip() for cell in cells[3:]):
        notes = (*notes, "columns_ignored")
    if len(name) > MAX_NAME or len(group) > MAX_GROUP_NAME:
        name, group, notes = name[:MAX_NAME], group[:MAX_GROUP_NAME].strip(), (*notes, "value_shortened")
    return Entry(row.line, number, name, group, language, attributes, notes)


def content_of(cells: list[str]) -> str:
    """A row as a report shows it."""
    return ";".join(cells)[:MAX_CONTENT]


def _cell(cells: list[str], place: int | None) -> str:
    return cells[place].strip() if place is not None and place < len(cells) else ""


def _language(value: str, notes: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    if not value:
        return None, notes
    if _LANGUAGE.fullmatch(value) is None:
        return None, (*notes, "language_unknown")
    return value.replace("_", "-"), notes


def _attributes(cells: list[str], columns: Columns, notes: tuple[str, ...]) -> tuple[dict[str, str], tuple[str, ...]]:
    found: dict[str, str] = {}
    for place, name in columns.attributes.items():
        value = _cell(cells, place)
        if len(value) > MAX_ATTRIBUTE:
            value, notes = value[:MAX_ATTRIBUTE], (*notes, "value_shortened")
        if value:
            found[name] = value
    if len(cells) > len(columns.attributes) + 1 and any(
        cell.strip() and not columns.names_place(place) for place, cell in enumerate(cells)
    ):
        notes = (*notes, "column_unnamed")
    return found, notes
