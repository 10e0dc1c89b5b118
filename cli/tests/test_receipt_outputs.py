"""Files of receipts: whatever ends a run, the next one goes on without a row twice or missing."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import duckdb
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carillon.events.stream import EXAMPLE, CloudEvent
from carillon.receipts.formats import Format
from carillon.receipts.reader import Batch, ReceiptReader
from carillon.receipts.rows import Row, rows_of
from carillon.receipts.span import Span
from carillon_cli.receipts.checkpoint import Output, OutputError, open_output
from carillon_cli.receipts.copying import Copying, GapError

ASKED = {"format": "ndjson", "account": None}


def _event(offset: int, count: int = 3) -> CloudEvent:
    receipts = [msgspec.structs.replace(EXAMPLE.data[0], message_id=str(offset * 1000 + n)) for n in range(count)]
    return msgspec.structs.replace(EXAMPLE, id=f"evt_{offset}", data=receipts)


class Stream(ReceiptReader):
    """A stream of so many entries, which breaks after some of them."""

    def __init__(self, last: int, *, first: int = 0, breaks_after: Sequence[int] = ()) -> None:
        super().__init__("amqp://nowhere")
        self.first, self.last = first, last
        self.breaks = list(breaks_after)

    async def first_offset(self) -> int | None:
        return self.first

    async def batches(self, span: Span, account: str | None = None) -> AsyncGenerator[Batch, None]:
        begin = span.begin if isinstance(span.begin, int) else self.first
        for offset in range(max(begin, self.first), self.last + 1):
            yield Batch(offset, rows_of(offset, _event(offset), account))
            if self.breaks and self.breaks[0] == offset:
                self.breaks.pop(0)
                raise ConnectionError("cut")


def _read(path: Path, format_: Format) -> list[tuple[int, int]]:
    if format_ == "ndjson":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        return [(row["stream_offset"], row["place"]) for row in rows]
    table = f"'{path}/*.parquet'" if format_ == "parquet" else f"read_csv('{path}')"
    query = f"SELECT stream_offset, place FROM {table} ORDER BY ALL"
    return [(int(offset), int(place)) for offset, place in duckdb.connect().execute(query).fetchall()]


def _rows(first: int, last: int) -> list[tuple[int, int]]:
    return [(offset, place) for offset in range(first, last + 1) for place in range(3)]


def _add(output: Output, first: int, last: int) -> None:
    for offset in range(first, last + 1):
        output.add(rows_of(offset, _event(offset)))


@pytest.mark.parametrize("format_", ["ndjson", "csv", "parquet"])
@settings(max_examples=10, deadline=None)
@given(runs=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=4))
def test_runs_that_end_anywhere(
    format_: Format, runs: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("runs") / "out"
    following = 0
    for committed, beyond in runs:
        output = open_output(path, format_, ASKED)
        assert output.next_offset == (following or None)
        if committed:
            _add(output, following, following + committed - 1)
            following += committed
            output.commit(following)
        _add(output, following, following + beyond - 1)
        output.close()  # with rows that were never committed
    output = open_output(path, format_, ASKED)
    _add(output, following, following)
    output.commit(following + 1)
    output.close()
    assert _read(path, format_) == _rows(0, following)


def test_a_part_that_was_written_before_its_state_is_written_again(tmp_path: Path) -> None:
    output = open_output(tmp_path / "out", "parquet", ASKED)
    _add(output, 0, 1)
    output.commit(2)
    state = (tmp_path / "out" / "_state").read_text()
    _add(output, 2, 4)
    output.commit(5)
    output.close()
    (tmp_path / "out" / "_state").write_text(state)
    (tmp_path / "out" / "part-00000000000000000009.parquet.new").write_bytes(b"half")
    output = open_output(tmp_path / "out", "parquet", ASKED)
    assert output.next_offset == 2
    _add(output, 2, 3)
    output.commit(4)
    output.close()
    assert _read(tmp_path / "out", "parquet") == _rows(0, 3)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "_state",
        "part-00000000000000000000.parquet",
        "part-00000000000000000002.parquet",
    ]


def test_what_is_refused(tmp_path: Path) -> None:
    mine = tmp_path / "mine.csv"
    mine.write_text("a,b\n")
    with pytest.raises(OutputError, match="beside it"):
        open_output(mine, "csv", ASKED)
    with pytest.raises(OutputError, match="is a file"):
        open_output(mine, "parquet", ASKED)
    with pytest.raises(OutputError, match="can't be opened"):
        open_output(tmp_path / "no folder" / "x.csv", "csv", ASKED)
    assert mine.read_text() == "a,b\n"
    output = open_output(tmp_path / "out", "ndjson", ASKED)
    with pytest.raises(OutputError, match="another run"):
        open_output(tmp_path / "out", "ndjson", ASKED)
    _add(output, 0, 2)
    output.commit(3)
    output.close()
    with pytest.raises(OutputError, match="--account"):
        open_output(tmp_path / "out", "ndjson", {**ASKED, "account": "acc_1"})
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match="shorter"):
        open_output(tmp_path / "out", "ndjson", ASKED)
    (tmp_path / "out.state").write_text("{}")
    with pytest.raises(OutputError, match="no state"):
        open_output(tmp_path / "out", "ndjson", ASKED)


async def test_copying_goes_on_behind_a_broken_connection(tmp_path: Path) -> None:
    output = open_output(tmp_path / "out", "ndjson", ASKED)
    said: list[str] = []
    stream = Stream(9, breaks_after=[3, 7])
    copying = Copying(stream, output, None, said.append, attempts=2)
    await copying.run(Span.starting("first"))
    output.close()
    assert _read(tmp_path / "out", "ndjson") == _rows(0, 9)
    assert (copying.rows, len(said)) == (30, 2)


async def test_a_broker_that_stays_away_ends_an_export_with_what_there_was(tmp_path: Path) -> None:
    output = open_output(tmp_path / "out", "ndjson", ASKED)
    stream = Stream(9, breaks_after=[3])
    with pytest.raises(ConnectionError):
        await Copying(stream, output, None, lambda _: None, attempts=1).run(Span.starting("first"))
    output.close()
    assert open_output(tmp_path / "out", "ndjson", ASKED).next_offset == 4
    assert _read(tmp_path / "out", "ndjson") == _rows(0, 3)


async def test_a_gap_is_told_unless_it_is_allowed(tmp_path: Path) -> None:
    output = open_output(tmp_path / "out", "ndjson", ASKED)
    stream = Stream(9, first=5)
    with pytest.raises(GapError) as told:
        await Copying(stream, output, None, lambda _: None).run(Span.starting(2))
    assert told.value.missed == (2, 4)
    assert output.next_offset is None
    said: list[str] = []
    await Copying(stream, output, None, said.append, allow_gap=True).run(Span.starting(2))
    assert "2 to 4" in said[0]
    output.close()
    assert _read(tmp_path / "out", "ndjson") == _rows(5, 9)


async def test_a_full_disk_leaves_what_was_committed(tmp_path: Path) -> None:
    class Full:
        next_offset: int | None = 4
        commits: list[int] = []

        def add(self, rows: Sequence[Row]) -> None:
            raise OutputError("no space left")

        def commit(self, next_offset: int) -> None:
            self.commits.append(next_offset)

        def close(self) -> None: ...

    output = Full()
    with pytest.raises(OutputError):
        await Copying(Stream(9), output, None, lambda _: None).run(Span.starting(4))
    assert output.commits == []


async def test_who_stops_a_tail_keeps_what_it_saw(tmp_path: Path) -> None:
    class Endless(Stream):
        async def batches(self, span: Span, account: str | None = None) -> AsyncGenerator[Batch, None]:
            async for batch in super().batches(span, account):
                yield batch
            await asyncio.Event().wait()

    output = open_output(tmp_path / "out", "csv", ASKED)
    copying = Copying(Endless(2), output, None, lambda _: None)
    task = asyncio.create_task(copying.run(Span.starting("first")))
    while copying.rows < 9:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    output.close()
    assert _read(tmp_path / "out", "csv") == _rows(0, 2)


async def test_a_foreign_entry_is_told_and_left_out(tmp_path: Path) -> None:
    class Foreign(Stream):
        async def batches(self, span: Span, account: str | None = None) -> AsyncGenerator[Batch, None]:
            yield Batch(0, [], is_foreign=True)
            yield Batch(1, rows_of(1, _event(1)))

    output = open_output(tmp_path / "out", "ndjson", ASKED)
    said: list[str] = []
    await Copying(Foreign(1), output, None, said.append).run(Span.starting("first"))
    output.close()
    assert len(said) == 1
    assert _read(tmp_path / "out", "ndjson") == _rows(1, 1)
