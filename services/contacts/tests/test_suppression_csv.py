"""Lists of numbers as people have them, in whatever pieces they come."""

from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from contacts.suppressions.csv_rows import Row, rows_of

GOOD = ["33612345678", "33687654321"]


async def read(body: bytes, sizes: list[int] | None = None) -> list[Row]:
    async def pieces() -> AsyncIterator[bytes]:
        at = 0
        for size in sizes or []:
            yield body[at : at + size]
            at += size
        yield body[at:]

    return [row async for row in rows_of(pieces(), "FR")]


async def test_the_first_column_or_the_one_that_is_named() -> None:
    assert [row.number for row in await read(b"33612345678\r\n33687654321;Anne\n")] == GOOD
    assert [row.number for row in await read("\ufeffNom;Num\u00e9ro\nAnne;06 12 34 56 78\n".encode())] == GOOD[:1]
    assert [row.number for row in await read("Nom;T\u00e9l\u00e9phone\rAnne;0612345678".encode("cp1252"))] == GOOD[:1]
    assert [row.number for row in await read(b'"33612345678","x"\n')] == GOOD[:1]


async def test_what_is_no_number_is_told_by_line() -> None:
    rows = await read(b"33612345678\n\nabc\n1234567\n33687654321")
    assert rows == [
        Row(1, GOOD[0]),
        Row(3, code="number_not_numeric"),
        Row(4, code="number_impossible"),
        Row(5, GOOD[1]),
    ]


@given(st.lists(st.integers(0, 9), max_size=40), st.sampled_from([b"\n", b"\r\n", b"\r"]))
async def test_where_the_pieces_end_does_not_matter(sizes: list[int], end: bytes) -> None:
    body = end.join([b"number;x", b"33612345678;1", b"oops", b"33687654321;2"]) + end
    assert await read(body, sizes) == [Row(2, GOOD[0]), Row(3, code="number_not_numeric"), Row(4, GOOD[1])]
