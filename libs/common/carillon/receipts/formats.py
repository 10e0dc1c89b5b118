"""Rows as bytes: NDJSON, CSV and Parquet, written piece by piece in bounded memory."""

import csv
import io
from collections.abc import Sequence
from typing import Any, Literal, Protocol, get_args

import msgspec

from carillon.receipts.rows import COLUMNS, Row

Format = Literal["ndjson", "csv", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)
MEDIA_TYPES: dict[Format, str] = {
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8; header=present",
    "parquet": "application/vnd.apache.parquet",
}
_TIMES = ("event_time", "status_at", "accepted_at")
_NUMBERS = ("stream_offset", "place", "sequence", "parts", "price_micros")
NULLABLE = ("campaign", "operator", "previous", "error", "price_micros", "number")


class Writer(Protocol):
    """Turns rows into the bytes of one file. Each call gives what can be written so far."""

    def head(self) -> bytes:
        """What the file begins with."""
        ...

    def rows(self, rows: Sequence[Row]) -> bytes:
        """More rows."""
        ...

    def end(self) -> bytes:
        """What the file ends with."""
        ...


def writer(format_: Format) -> Writer:
    """A writer for one file. Parquet's loads pyarrow, which takes a third of a second."""
    if format_ == "ndjson":
        return Ndjson()
    return Csv() if format_ == "csv" else Parquet()


class Ndjson:
    """One JSON object a line, all columns in each; what is not known is null."""

    def __init__(self) -> None:
        self._encode_lines = msgspec.json.Encoder().encode_lines

    def head(self) -> bytes:
        """Nothing."""
        return b""

    def rows(self, rows: Sequence[Row]) -> bytes:
        """Lines."""
        return self._encode_lines(rows)

    def end(self) -> bytes:
        """Nothing."""
        return b""


class Csv:
    """RFC 4180 with a header, but lines end with a line feed; what is not known is empty."""

    def head(self) -> bytes:
        """The names of the columns."""
        return ",".join(COLUMNS).encode() + b"\n"

    def rows(self, rows: Sequence[Row]) -> bytes:
        """Lines."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(msgspec.structs.astuple(row) for row in rows)
        return text.getvalue().encode()

    def end(self) -> bytes:
        """Nothing."""
        return b""


class Parquet:
    """Each call of `rows` makes a row group, so give it many; times are timestamps in UTC, to the millisecond."""

    def __init__(self) -> None:
        import pyarrow as pa  # noqa: PLC0415 - only those who ask for Parquet wait for it
        import pyarrow.parquet as pq  # noqa: PLC0415

        self._pa = pa
        text, moment = pa.string(), pa.timestamp("ms", tz="UTC")
        kinds = {**dict.fromkeys(_NUMBERS, pa.int64()), **dict.fromkeys(_TIMES, moment)}
        self._schema = pa.schema([pa.field(name, kinds.get(name, text), name in NULLABLE) for name in COLUMNS])
        self._pieces = _Pieces()
        self._file = pq.ParquetWriter(self._pieces, self._schema, compression="zstd")

    def head(self) -> bytes:
        """The magic number."""
        return self._pieces.take()

    def rows(self, rows: Sequence[Row]) -> bytes:
        """A row group."""
        if rows:
            pa = self._pa
            columns = zip(*(msgspec.structs.astuple(row) for row in rows), strict=True)
            arrays = [
                pa.array(values, pa.string()).cast(field.type) if field.name in _TIMES else pa.array(values, field.type)
                for values, field in zip(columns, self._schema, strict=True)
            ]
            self._file.write_table(pa.Table.from_arrays(arrays, schema=self._schema), row_group_size=len(rows))
        return self._pieces.take()

    def end(self) -> bytes:
        """The footer."""
        self._file.close()
        return self._pieces.take()


class _Pieces(io.RawIOBase):
    """A file that is only written: what is written is taken away, its position goes on."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, data: Any, /) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self._position += len(piece)
        return len(piece)

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken
