"""A stored file as rows, from any place on."""

from collections.abc import AsyncIterator
from typing import Final, cast

from contacts.domain.import_ import BATCH_ROWS, Import
from contacts.reading.encoding import Encoding
from contacts.reading.rows import Row, RowSplitter
from contacts.store.chunks import ChunkStore

_BATCH_BYTES: Final = 1 << 20


class Source:
    """Rows in order; memory holds a piece of the file and the rows of one batch."""

    def __init__(self, chunks: ChunkStore, import_: Import) -> None:
        self._pieces: AsyncIterator[bytes] | None = chunks.read(import_.id, import_.part, import_.offset)
        self._splitter = RowSplitter(
            import_.separator or ";", cast("Encoding", import_.encoding), offset=import_.offset, line=import_.line
        )
        self._offset = import_.offset
        self._rows: list[Row] = []

    async def take(self, count: int = BATCH_ROWS) -> list[Row]:
        """The next rows, `count` or 1 MiB at most; none: that was all."""
        while self._pieces is not None and not self._is_enough(count):
            piece = await anext(self._pieces, None)
            if piece is None:
                self._pieces = None
                self._rows += self._splitter.finish()
            else:
                self._rows += self._splitter.feed(piece)
        last = min(count, len(self._rows))
        while last > 1 and self._rows[last - 1].end - self._offset > _BATCH_BYTES:
            last //= 2
        taken, self._rows = self._rows[:last], self._rows[last:]
        if taken:
            self._offset = taken[-1].end
        return taken

    def put_back(self, rows: list[Row]) -> None:
        """They were taken last, and come again next."""
        self._rows[:0] = rows

    def _is_enough(self, count: int) -> bool:
        return len(self._rows) >= count or bool(self._rows and self._rows[-1].end - self._offset > _BATCH_BYTES)
