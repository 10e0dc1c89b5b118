"""`python -m contacts.reading.spreadsheet FILE`: the first sheet of an .xlsx as CSV on standard output.

It is a process of its own, with bounds on memory and time: a workbook has to be read whole, and one that is made to
explode takes nothing else with it. A row of the sheet is a line of the output, so lines keep their numbers.
"""

import csv
import resource
import sys
import zipfile
from datetime import date, datetime, time, timedelta
from typing import Final

from python_calamine import CalamineError, CalamineWorkbook

MAX_MEMORY_BYTES: Final = 3 << 30
MAX_CPU_S: Final = 300
MAX_UNPACKED_BYTES: Final = 1 << 30
UNREADABLE: Final = 3  # exit status
TOO_LARGE: Final = 4

_Cell = int | float | str | bool | time | date | datetime | timedelta


def main(path: str) -> int:
    """Exit status: 0, UNREADABLE or TOO_LARGE."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_S, MAX_CPU_S))
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_UNPACKED_BYTES:
                return TOO_LARGE
        sheet = CalamineWorkbook.from_path(path).get_sheet_by_index(0)
        start = sheet.start
        sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]
        writer = csv.writer(sys.stdout, delimiter=";", lineterminator="\n")
        if start is None:
            return 0
        for _ in range(start[0]):
            sys.stdout.write("\n")
        indent = [""] * start[1]
        for row in sheet.iter_rows():
            writer.writerow([*indent, *map(text_of, row)])
        sys.stdout.flush()
    except (CalamineError, zipfile.BadZipFile, OSError, ValueError, MemoryError):
        return UNREADABLE
    return 0


def text_of(cell: _Cell) -> str:
    """A cell as a CSV would hold it: whole numbers without decimals, times as ISO 8601, one line."""
    if isinstance(cell, str):
        return " ".join(cell.splitlines()) if "\n" in cell or "\r" in cell else cell
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    return str(cell)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
