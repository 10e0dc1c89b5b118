"""Files that never hold a line twice nor lack one, whatever ends the program in the middle.

Each commit first makes the rows durable, then replaces the state beside them, which says how much of them counts and
which entry of the stream comes next. What a killed run has written past its last state is cut off by the next run.
"""

import fcntl
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from carillon.receipts.formats import Format, Writer, writer
from carillon.receipts.rows import Row


class OutputError(Exception):
    """The output can't be gone on with; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class State:
    """What the next run must know. `asked` is what the rows were chosen by: another choice needs another output."""

    next_offset: int | None
    size_bytes: int
    asked: dict[str, str | None]


class Output(Protocol):
    """Where rows go. `next_offset` is where an earlier run stopped; None: nothing was written yet."""

    next_offset: int | None

    def add(self, rows: Sequence[Row]) -> None:
        """Take rows; they count from the next commit on."""
        ...

    def commit(self, next_offset: int) -> None:
        """Everything before this entry was taken."""
        ...

    def close(self) -> None:
        """Let it go, as of the last commit."""
        ...


class TextFile:
    """NDJSON or CSV: one file that grows, with `<name>.state` beside it."""

    def __init__(self, path: Path, format_: Format, asked: dict[str, str | None]) -> None:
        self._asked = asked
        self._path = path
        self._state_path = path.with_name(path.name + ".state")
        self._writer: Writer = writer(format_)
        self._file = path.open("ab")
        try:
            _lock(self._file.fileno(), path)
            state = self._state(self._file.seek(0, os.SEEK_END))
        except BaseException:
            self._file.close()
            raise
        self.next_offset = state.next_offset
        self._file.truncate(state.size_bytes)
        if state.size_bytes == 0:
            self._file.write(self._writer.head())

    def _state(self, size_bytes: int) -> State:
        state = _read_state(self._state_path, self._asked)
        if state is None:
            if size_bytes:
                raise OutputError(f"{self._path} has no {self._state_path.name} beside it: choose another --output")
            # before the first row: a run that ends before its first commit can be gone on with too
            state = State(None, 0, self._asked)
            _write_state(self._state_path, state)
        if size_bytes < state.size_bytes:
            raise OutputError(f"{self._path} is shorter than {self._state_path.name} says: it was changed or lost")
        return state

    def add(self, rows: Sequence[Row]) -> None:
        """Append."""
        with _writing(self._path):
            self._file.write(self._writer.rows(rows))

    def commit(self, next_offset: int) -> None:
        """The lines, then the state."""
        with _writing(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
            size_bytes = os.fstat(self._file.fileno()).st_size
            _write_state(self._state_path, State(next_offset, size_bytes, self._asked))
        self.next_offset = next_offset

    def close(self) -> None:
        """What was added since the last commit may be in the file: the next run cuts it off."""
        with _writing(self._path):
            self._file.close()


class ParquetFolder:
    """Parquet: a folder with one part a commit, named by its first entry, and `_state` beside them."""

    def __init__(self, path: Path, asked: dict[str, str | None]) -> None:
        self._asked = asked
        self._path = path
        self._state_path = path / "_state"
        if path.exists() and not path.is_dir():
            raise OutputError(f"{path} is a file: for Parquet --output is a folder")
        path.mkdir(parents=True, exist_ok=True)
        self._folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        _lock(self._folder, path)
        state = _read_state(self._state_path, asked)
        parts = sorted(path.glob("part-*.parquet*"))
        if state is None and parts:
            raise OutputError(f"{path} has parts and no {self._state_path.name}: choose another --output")
        if state is None:
            state = State(None, 0, asked)
            _write_state(self._state_path, state)
        self.next_offset = state.next_offset
        for part in parts:  # written by a run that was killed before it could say so
            if part.suffix != ".parquet" or _first_offset(part) >= (state.next_offset or 0):
                part.unlink()
        self._rows: list[Row] = []

    def add(self, rows: Sequence[Row]) -> None:
        """Keep until the commit."""
        self._rows.extend(rows)

    def commit(self, next_offset: int) -> None:
        """The part, then the state."""
        with _writing(self._path):
            if self._rows:
                file = writer("parquet")
                body = file.head() + file.rows(self._rows) + file.end()
                _replace(self._path / f"part-{self._rows[0].stream_offset:020d}.parquet", body)
                self._rows = []
            _write_state(self._state_path, State(next_offset, 0, self._asked))
        self.next_offset = next_offset

    def close(self) -> None:
        """What was added since the last commit is forgotten, and read again by the next run."""
        os.close(self._folder)


class Lines:
    """Standard output: nothing is remembered."""

    next_offset: int | None = None

    def __init__(self, format_: Format) -> None:
        self._writer = writer(format_)
        self._print(self._writer.head())

    def add(self, rows: Sequence[Row]) -> None:
        """Print at once."""
        self._print(self._writer.rows(rows))

    def commit(self, next_offset: int) -> None:
        """They were printed."""

    def close(self) -> None:
        """Nothing to let go."""

    def _print(self, lines: bytes) -> None:
        if lines:
            with _writing(Path("standard output")):
                sys.stdout.buffer.write(lines)
                sys.stdout.buffer.flush()


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path} can't be written: {error.strerror or error}") from error


def open_output(path: Path | None, format_: Format, asked: dict[str, str | None]) -> Output:
    """Begin an output, or go on with it; `OutputError` when it is another's."""
    if path is None:
        return Lines(format_)
    try:
        return ParquetFolder(path, asked) if format_ == "parquet" else TextFile(path, format_, asked)
    except OSError as error:
        raise OutputError(f"{path} can't be opened: {error.strerror or error}") from error


def _first_offset(part: Path) -> int:
    return int(part.name.split("-")[1].split(".")[0])


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OutputError(f"another run writes to {path} now") from None


def _read_state(path: Path, asked: dict[str, str | None]) -> State | None:
    if not path.exists():
        return None
    try:
        state = State(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise OutputError(f"{path} is no state of an export: {error}") from error
    for name, value in state.asked.items():
        if asked.get(name) != value:
            raise OutputError(
                f"{path} was begun with --{name} {value or '(none)'}: ask the same, or choose another --output"
            )
    return state


def _write_state(path: Path, state: State) -> None:
    _replace(path, json.dumps(asdict(state), indent=2).encode() + b"\n")


def _replace(path: Path, body: bytes) -> None:
    """Durably, and in one step: a reader sees the old or the new."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
