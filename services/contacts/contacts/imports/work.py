"""What is done for an import, step by step; each step ends with one compare-and-set, so it is counted once."""

from typing import cast

import structlog
from msgspec.structs import replace

from carillon.runtime.clock import Clock
from contacts.domain.batch import Counts
from contacts.domain.errors import InvalidError
from contacts.domain.import_ import Import, Undone
from contacts.imports.convert import converted
from contacts.imports.decide import Decide
from contacts.imports.record import MAX_BYTES, Record, encode
from contacts.imports.source import Source
from contacts.imports.targets import ContactsTarget, FileTarget, Target
from contacts.imports.undo import Undo
from contacts.reading.encoding import Encoding
from contacts.reading.entries import is_blank
from contacts.reading.header import BY_PLACE, columns_of
from contacts.reading.separator import SAMPLE_BYTES, is_separator_line, separator_of
from contacts.store import Stores
from contacts.store.imports import Kept

log = structlog.get_logger(__name__)


class LostError(Exception):
    """Somebody else has moved this import on: look again."""


class Work:
    """The steps. Any number of processes may try one; one of them succeeds."""

    def __init__(self, stores: Stores, decide: Decide, clock: Clock) -> None:
        self._stores = stores
        self._decide = decide
        self._clock = clock
        self._undo = Undo(stores, clock)
        self._contacts = ContactsTarget(stores)
        self._file = FileTarget(stores)

    async def prepare(self, kept: Kept) -> Kept:
        """From `queued` to `running`: find out how the file is written, and skip its header."""
        import_ = replace(kept.import_, state="running", started_at=self._clock.now_ms(), problem=None)
        try:
            if import_.format == "xlsx" and import_.part == "raw":
                import_ = await converted(self._stores.chunks, import_, self._clock)
            if import_.separator is None:
                import_ = replace(import_, separator=await self._separator(import_))
        except InvalidError as error:
            return await self.fail(kept, error.code, error.detail)
        return await self._save(kept, await self._without_header(import_))

    def source(self, kept: Kept) -> Source:
        """The rows that are still to be read."""
        return Source(self._stores.chunks, kept.import_)

    async def resume(self, kept: Kept) -> Kept:
        """A batch that was decided and maybe not done, or not counted, is done first."""
        record = await self._stores.batches.find(kept.import_.id, kept.import_.batches)
        return kept if record is None else await self._do(kept, record)

    async def step(self, kept: Kept, source: Source) -> Kept:
        """The next batch; at the end of the file: `finished`."""
        import_ = kept.import_
        rows = await source.take()
        if not rows:
            return await self._finish(kept)
        record, preview = await self._decide(import_, self._target(import_), rows)
        body = encode(record)
        while len(body) > MAX_BYTES and len(rows) > 1:  # what exists of these contacts is very long
            source.put_back(rows[len(rows) // 2 :])
            rows = rows[: len(rows) // 2]
            record, preview = await self._decide(import_, self._target(import_), rows)
            body = encode(record)
        if not await self._stores.batches.add(record, body, self._clock.now_ms()):
            raise LostError(record.id)
        if import_.batches == 0:
            kept = Kept(replace(import_, preview=preview), kept.rev, kept.alive_at)
        return await self._do(kept, record)

    async def undo_step(self, kept: Kept) -> Kept:
        """Undo the last batch that is not undone; after the first one: `undone`."""
        import_ = kept.import_
        undone = import_.undone or Undone()
        if import_.undo_left == 0:
            groups = await self._undo.groups(import_)
            undone = replace(undone, groups_removed=groups)
            return await self._save(
                kept, replace(import_, state="undone", undone=undone, ended_at=self._clock.now_ms())
            )
        number = import_.undo_left - 1
        record = await self._stores.batches.find(import_.id, number)
        if record is not None:
            undone = await self._undo.batch(import_, record, undone)
        return await self._save(kept, replace(import_, undo_left=number, undone=undone))

    async def fail(self, kept: Kept, code: str, detail: str) -> Kept:
        """It goes no further; what was imported stays, and can be undone."""
        log.warning("import.failed", import_id=kept.import_.id, code=code)
        ended = replace(kept.import_, state="failed", problem=f"{code}: {detail}", ended_at=self._clock.now_ms())
        return await self._save(kept, ended)

    async def _do(self, kept: Kept, record: Record) -> Kept:
        import_ = kept.import_
        record = await self._target(import_).apply(import_, record, self._clock.now_ms())
        done = replace(
            import_,
            batches=record.number + 1,
            offset=record.offset,
            line=record.line,
            counts=import_.counts.plus(record.counts),
        )
        return await self._save(kept, done)

    async def _finish(self, kept: Kept) -> Kept:
        import_ = kept.import_
        ended = await self._save(kept, replace(import_, state="finished", ended_at=self._clock.now_ms()))
        log.info("import.finished", import_id=import_.id, kind=import_.kind, rows=import_.counts.rows)
        if import_.dry_run:
            await self._stores.file_rows.remove(import_.id)  # the upload stays for a while: it may be started
        else:
            await self._stores.chunks.remove(import_.id)
        return ended

    async def _save(self, kept: Kept, import_: Import) -> Kept:
        saved = await self._stores.imports.save(kept, import_)
        if saved is None:
            raise LostError(import_.id)
        return saved

    def _target(self, import_: Import) -> Target:
        return self._file if import_.dry_run or import_.kind == "audience" else self._contacts

    async def _separator(self, import_: Import) -> str:
        sample = b""
        async for piece in self._stores.chunks.read(import_.id, import_.part, 0):
            sample = piece[:SAMPLE_BYTES]
            break
        return separator_of(sample, cast("Encoding", import_.encoding))

    async def _without_header(self, import_: Import) -> Import:
        """Columns, and the place after the header, `sep=` and blank lines before it."""
        import_ = replace(import_, offset=0, line=1, batches=0, counts=Counts(), columns=BY_PLACE)
        source = Source(self._stores.chunks, import_)
        while rows := await source.take(1):
            row = rows[0]
            is_first = row.line == 1
            if is_first and row.cells and is_separator_line(row.cells):
                import_ = replace(import_, offset=row.end, line=row.next_line)
                continue
            if is_blank(row):
                continue
            columns = columns_of(row.cells)
            if columns is not None:
                import_ = replace(import_, columns=columns, offset=row.end, line=row.next_line)
            break
        return import_
