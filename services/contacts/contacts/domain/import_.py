"""An import: one uploaded file and how far it has come."""

from typing import Final, Literal

from msgspec import Struct

from contacts.domain.batch import Counts
from contacts.reading.header import Columns

Kind = Literal["contacts", "audience"]
State = Literal["uploading", "queued", "running", "finished", "failed", "undoing", "undone"]
WORKING: Final = frozenset({"queued", "running", "undoing"})
Format = Literal["csv", "xlsx"]

BATCH_ROWS: Final = 1_000
PREVIEW_ROWS: Final = 20


class Undone(Struct, frozen=True, kw_only=True):
    """What an undo did. `kept` contacts were changed by somebody since and are left as they are."""

    removed: int = 0
    restored: int = 0
    kept: int = 0
    groups_removed: int = 0


class PreviewRow(Struct, frozen=True, kw_only=True):
    """One of the first rows as it was understood; `problem` says why it is refused."""

    line: int
    number: str = ""
    name: str = ""
    group: str = ""
    language: str | None = None
    attributes: dict[str, str] = {}
    problem: str | None = None


class Import(Struct, frozen=True, kw_only=True):
    """`offset` and `line` are where the next batch begins; `batches` how many are done; times in ms since 1970."""

    id: str
    account: str
    kind: Kind = "contacts"
    dry_run: bool = False
    state: State = "uploading"
    problem: str | None = None
    file_name: str = ""
    group: str = ""
    country: str = "FR"
    format: Format = "csv"
    encoding: str = "utf-8"
    separator: str | None = None
    columns: Columns | None = None
    size_bytes: int = 0
    sha256: str = ""
    part: str = "raw"
    part_bytes: int = 0
    batches: int = 0
    offset: int = 0
    line: int = 1
    counts: Counts = Counts()
    preview: list[PreviewRow] = []
    undone: Undone | None = None
    undo_left: int = 0
    key: str | None = None
    created_at: int
    started_at: int | None = None
    ended_at: int | None = None
