"""Rows are the same in every format; spans hold what they say, to the millisecond."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import msgspec
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carillon.events.stream import EXAMPLE, decode_event, encode_event
from carillon.receipts.formats import FORMATS, MEDIA_TYPES, Format, writer
from carillon.receipts.rows import COLUMNS, Row, rows_of
from carillon.receipts.span import Span, parse_moment, parse_offset
from carillon.runtime.clock import parse_rfc3339, rfc3339

_words = st.text(st.characters(codec="utf-8"), max_size=8)
_moments = st.integers(0, 4_000_000_000_000).map(rfc3339)
_EPOCH = datetime.fromtimestamp(0, UTC)
_numbers = st.integers(0, (1 << 63) - 1)
_rows = st.builds(
    Row, stream_offset=_numbers, place=st.integers(0, 499), event_id=_words, event_time=_moments, message_id=_words,
    account=_words, campaign=st.none() | _words, lane=st.just("bulk"), country=_words, operator=st.none() | _words,
    status=st.just("delivered"), previous=st.none(), sequence=_numbers, error=st.none() | _words, parts=_numbers,
    price_micros=st.none() | _numbers, status_at=_moments, accepted_at=_moments, number=st.none() | _words,
)  # fmt: skip


def _file(format_: Format, *groups: list[Row]) -> bytes:
    file = writer(format_)
    return file.head() + b"".join(file.rows(group) for group in groups) + file.end()


@settings(deadline=None)
@given(st.lists(_rows, max_size=5), st.lists(_rows, max_size=5))
def test_every_format_says_the_same(one: list[Row], two: list[Row]) -> None:
    rows = [msgspec.to_builtins(row) for row in (*one, *two)]
    assert [json.loads(line) for line in _file("ndjson", one, two).split(b"\n")[:-1]] == rows
    table = pq.read_table(io.BytesIO(_file("parquet", one, two)))
    assert tuple(table.column_names) == COLUMNS
    times = {"event_time", "status_at", "accepted_at"}
    found = [
        {name: rfc3339(round(value.timestamp() * 1000)) if name in times else value for name, value in row.items()}
        for row in table.to_pylist()
    ]
    assert found == rows


def test_csv_has_a_header_and_quotes_what_needs_it() -> None:
    [row] = rows_of(7, EXAMPLE)
    odd = msgspec.structs.replace(row, campaign='a "b", c\nd', operator=None)
    header, line = csv.reader(io.StringIO(_file("csv", [odd]).decode()))
    assert tuple(header) == COLUMNS
    found = dict(zip(header, line, strict=True))
    assert (found["campaign"], found["operator"], found["stream_offset"]) == ('a "b", c\nd', "", "7")


@pytest.mark.parametrize("format_", FORMATS)
def test_a_file_without_rows_is_a_file(format_: Format) -> None:
    body = _file(format_)
    assert format_ in MEDIA_TYPES
    if format_ == "parquet":
        assert pq.read_table(io.BytesIO(body)).num_rows == 0
    else:
        assert body == (b"" if format_ == "ndjson" else ",".join(COLUMNS).encode() + b"\n")


def test_rows_of_an_account_keep_their_place() -> None:
    other = msgspec.structs.replace(EXAMPLE.data[0], account="acc_other")
    event = msgspec.structs.replace(EXAMPLE, data=[EXAMPLE.data[0], other])
    assert [row.place for row in rows_of(3, event)] == [0, 1]
    [row] = rows_of(3, event, "acc_other")
    assert (row.place, row.stream_offset, row.event_id) == (1, 3, EXAMPLE.id)


@pytest.mark.parametrize(
    "body",
    [
        b"x",
        b"{}",
        b"\xff",
        encode_event(EXAMPLE).replace(b"status.v1", b"status.v2"),
        encode_event(EXAMPLE).replace(b'"delivered"', b'"gone"'),
    ],
)
def test_what_is_not_known_is_left_out(body: bytes) -> None:
    assert decode_event(body) is None
    assert decode_event(encode_event(EXAMPLE)) == EXAMPLE


@pytest.mark.parametrize("text", ["", "latest", "-1", "1.5", "1" * 19, "²", "2026-11-22", "2026-11-22T00:00:00"])
def test_what_is_no_offset(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_offset(text)


def test_offsets() -> None:
    assert [parse_offset(text) for text in ("first", "last", "next", "17")] == ["first", "last", "next", 17]
    assert parse_offset("2026-11-22T02:00:00+02:00") == datetime(2026, 11, 22, tzinfo=UTC)


@given(st.integers(0, 10**15).map(lambda us: _EPOCH + timedelta(microseconds=us)), st.integers(-3, 3))
def test_a_span_of_time_holds_what_was_written_in_it(moment: datetime, shift: int) -> None:
    event_ms = max(0, round(moment.timestamp() * 1000) + shift)
    event_time, at = rfc3339(event_ms), _EPOCH + timedelta(milliseconds=event_ms)
    assert Span.starting(moment).holds(event_time) == (at >= moment)
    assert Span.starting("first", until=moment).holds(event_time) == (at < moment)
    assert parse_rfc3339(event_time) == event_ms


def test_a_span_ends_with_its_last_entry_or_a_minute_behind_its_time() -> None:
    begin, until = parse_moment("2026-11-22T00:00:00Z"), parse_moment("2026-11-23T00:00:00Z")
    span = Span.starting(begin, until).up_to(9)
    assert span is not None
    assert not span.is_over(8, "2026-11-23T00:00:59.999Z")
    assert span.is_over(9, "2026-11-22T00:00:00.000Z")
    assert span.is_over(8, "2026-11-23T00:01:00.000Z")
    assert span.after(4).begin == 5
    assert not span.after(4).holds("2026-11-21T23:59:59.999Z")
    assert Span.starting(10).up_to(9) is None
    assert Span.starting("next").up_to(9) is None
    assert Span.starting("first").up_to(None) is None
