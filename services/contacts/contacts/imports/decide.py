"""From the rows of a batch to the record of what it does."""

from collections.abc import Sequence

from carillon.runtime.clock import Clock
from carillon.runtime.ids import new_id
from contacts.domain.batch import Counts, plan
from contacts.domain.contact import Said
from contacts.domain.folding import group_key
from contacts.domain.import_ import PREVIEW_ROWS, Import, PreviewRow
from contacts.imports.record import Record, Remark
from contacts.imports.targets import Target
from contacts.reading.entries import DETAILS, Entry, Refusal, content_of, entry_of, is_blank
from contacts.reading.header import BY_PLACE
from contacts.reading.rows import Row
from contacts.store import Stores
from contacts.suppressed import ERASED, Reasons

_PREVIEW_CONTENT = 40


class Decide:
    """Reads rows and looks at what exists; writes nothing but the groups that are missing."""

    def __init__(self, stores: Stores, reasons: Reasons, clock: Clock) -> None:
        self._stores = stores
        self._reasons = reasons
        self._clock = clock

    async def __call__(self, import_: Import, target: Target, rows: Sequence[Row]) -> tuple[Record, list[PreviewRow]]:
        """The record of the import's next batch, and the first rows as they were understood."""
        read = self._read(import_, rows)
        erased = await self._erased(import_, read)
        entries: list[Entry] = []
        remarks: list[Remark] = []
        noted = 0
        for row, understood in read:
            is_erased = isinstance(understood, Entry) and understood.number in erased
            what = Refusal(understood.line, "number_erased", "") if is_erased else understood
            if isinstance(what, Refusal):
                remarks.append(Remark(what.line, what.code, True, what.content))
                continue
            entries.append(what)
            noted += bool(what.notes)
            remarks += [Remark(what.line, note, False, content_of(row.cells)) for note in dict.fromkeys(what.notes)]
        ids = await self._groups(import_, entries)
        said = [_said(entry, ids, import_.group) for entry in entries]
        known = await target.known(import_, list({entry.number for entry in entries}))
        planned = plan(said, known, lambda: new_id("ctc"))
        counts = Counts(
            rows=len(read), created=planned.created, updated=planned.updated, unchanged=planned.unchanged,
            refused=len(read) - len(entries), noted=noted,
        )  # fmt: skip
        record = Record(
            import_=import_.id, number=import_.batches, touches=planned.touches, counts=counts, remarks=remarks,
            offset=rows[-1].end, line=rows[-1].next_line,
        )  # fmt: skip
        return record, [_preview(what, import_.group) for _, what in read[:PREVIEW_ROWS]]

    def _read(self, import_: Import, rows: Sequence[Row]) -> list[tuple[Row, Entry | Refusal]]:
        columns = import_.columns or BY_PLACE
        return [(row, entry_of(row, columns, import_.country)) for row in rows if not is_blank(row)]

    async def _erased(self, import_: Import, read: Sequence[tuple[Row, Entry | Refusal]]) -> set[str]:
        """Numbers of people who were erased: a file does not bring them back."""
        if import_.kind == "audience":
            return set()
        numbers = list({what.number for _, what in read if isinstance(what, Entry)})
        reasons = await self._reasons(import_.account, numbers) if numbers else {}
        return {number for number, reason in reasons.items() if reason == ERASED}

    async def _groups(self, import_: Import, entries: Sequence[Entry]) -> dict[str, str]:
        """Ids by key. A dry run makes no groups: those that it would make have their key for an id."""
        names = dict.fromkeys(entry.group for entry in entries if entry.group)
        if import_.group and entries:
            names[import_.group] = None
        if import_.kind == "audience" or not names:
            return {}
        if import_.dry_run:
            keys = {group_key(name) for name in names}
            return {key: f"new:{key}" for key in keys} | await self._stores.groups.ids_of(import_.account, keys)
        return await self._stores.groups.ensure(import_.account, names, import_.id, self._clock.now_ms())


def _said(entry: Entry, ids: dict[str, str], group: str) -> Said:
    groups: tuple[str, ...] = ()
    if ids:
        names = (entry.group, group)
        groups = tuple(dict.fromkeys(ids[group_key(name)] for name in names if name and group_key(name) in ids))
    return Said(entry.number, entry.name, entry.language, entry.attributes, groups)


def _preview(what: Entry | Refusal, group: str) -> PreviewRow:
    if isinstance(what, Refusal):
        return PreviewRow(line=what.line, name=what.content[:_PREVIEW_CONTENT], problem=DETAILS[what.code])
    return PreviewRow(
        line=what.line, number=what.number, name=what.name, group=what.group or group, language=what.language,
        attributes=what.attributes,
    )  # fmt: skip
