"""What is to be said of single rows, as a CSV that a spreadsheet opens."""

import csv
import io
from collections.abc import AsyncIterator

from contacts.domain.import_ import Import
from contacts.reading.entries import DETAILS
from contacts.store.batches import BatchStore

_HEADER = ("row", "result", "reason", "explanation", "content")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


async def report(batches: BatchStore, import_: Import) -> AsyncIterator[bytes]:
    """UTF-8 with its mark, `;`, CRLF; rows in the order of the file: refused ones, and those with a note."""
    yield b"\xef\xbb\xbf" + _lines([_HEADER])
    async for record in batches.all(import_.id, import_.batches):
        if record.remarks:
            yield _lines(
                [
                    (
                        str(remark.line),
                        "refused" if remark.refused else "note",
                        remark.code,
                        DETAILS.get(remark.code, ""),
                        _harmless(remark.content),
                    )
                    for remark in record.remarks
                ]
            )


def _lines(rows: list[tuple[str, ...]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=";", lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode()


def _harmless(content: str) -> str:
    """What a spreadsheet would take for a formula is marked as text."""
    return "'" + content if content.startswith(_FORMULA) else content
