"""Which character separates the cells, seen from a file's first rows."""

from collections.abc import Sequence
from typing import Final

from contacts.reading.encoding import Encoding
from contacts.reading.header import columns_of
from contacts.reading.numbers import looks_like_number
from contacts.reading.rows import RowSplitter

SEPARATORS: Final = (";", "\t", ",")  # the first of equals wins
SAMPLE_BYTES: Final = 65_536
_SAMPLE_ROWS: Final = 200


def separator_of(sample: bytes, encoding: Encoding) -> str:
    """The one that makes the most rows of several cells, one of which is a number; `;` when none does.

    `sep=,` in the first line, which Excel writes and reads, settles it.
    """
    for separator in SEPARATORS:
        if sample.startswith(b"sep=" + separator.encode()):
            return separator
    return max(SEPARATORS, key=lambda separator: _score(sample, encoding, separator))


def is_separator_line(cells: Sequence[str]) -> bool:
    """Whether a first row is Excel's `sep=;`, which is no data."""
    return cells[0].startswith("sep=") and len("".join(cells)) <= len("sep=,")


def _score(sample: bytes, encoding: Encoding, separator: str) -> int:
    splitter = RowSplitter(separator, encoding)
    rows = [*splitter.feed(sample), *splitter.finish()][:_SAMPLE_ROWS]
    several = [row.cells for row in rows if len(row.cells) > 1]
    score = sum(any(looks_like_number(cell) for cell in cells) for cells in several)
    if several and columns_of(several[0]) is not None:
        score += 1
    return score
