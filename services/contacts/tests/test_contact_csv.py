"""CONTRACTS, section 5: the CSV of contacts, sentence by sentence, without a store."""

import csv
import io
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contacts.domain.errors import InvalidError
from contacts.imports.intake import Intake
from contacts.reading.encoding import Encoding, Sniffer
from contacts.reading.entries import DETAILS, Entry, Refusal, entry_of, is_blank
from contacts.reading.header import BY_PLACE, Columns, columns_of
from contacts.reading.numbers import UnreadableError, read_number
from contacts.reading.rows import MAX_ROW_BYTES, RowSplitter
from contacts.reading.separator import separator_of
from contacts.reading.spreadsheet import text_of

SEED = "33611223344\r\n33612345678;NomContact\r\n33687654321;NomContact;NomGroupe\r\n33687541257;;NomGroupe\r\n"


def rows_of(data: bytes, separator: str, encoding: Encoding = "utf-8", pieces: Iterable[int] = ()) -> list[list[str]]:
    splitter = RowSplitter(separator, encoding)
    found, at = [], 0
    for size in pieces:
        found += splitter.feed(data[at : at + size])
        at += size
    found += splitter.feed(data[at:])
    return [row.cells for row in [*found, *splitter.finish()]]


def entries(text: str, country: str = "FR") -> list[Entry | Refusal]:
    data = text.encode()
    separator = separator_of(data, "utf-8")
    splitter = RowSplitter(separator, "utf-8")
    rows = [row for row in [*splitter.feed(data), *splitter.finish()] if not is_blank(row)]
    columns = columns_of(rows[0].cells)
    return [entry_of(row, columns or BY_PLACE, country) for row in (rows[1:] if columns else rows)]


def test_the_four_rows() -> None:
    found = entries(SEED)
    assert [(each.number, each.name, each.group) for each in found if isinstance(each, Entry)] == [
        ("33611223344", "", ""),
        ("33612345678", "NomContact", ""),
        ("33687654321", "NomContact", "NomGroupe"),
        ("33687541257", "", "NomGroupe"),
    ]


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\x00\ufeff", exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.lists(CELL, min_size=2, max_size=4), min_size=1, max_size=8),
    separator=st.sampled_from([";", ",", "\t"]),
    end=st.sampled_from(["\r\n", "\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    pieces=st.lists(st.integers(1, 20), max_size=20),
)
def test_what_a_csv_writer_writes_is_read_back(
    rows: list[list[str]], separator: str, end: str, quoting: int, pieces: list[int]
) -> None:
    if quoting == csv.QUOTE_MINIMAL:  # of line ends, Python's writer quotes only those that it writes itself
        rows = [[cell.replace("\r", "").replace("\n", "") for cell in row] for row in rows]
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=separator, lineterminator=end, quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    assert rows_of(out.getvalue().encode(), separator, pieces=pieces) == rows


@settings(max_examples=60, deadline=None)
@given(
    data=st.binary(max_size=400), separator=st.sampled_from(";,\t"), pieces=st.lists(st.integers(1, 30), max_size=20)
)
def test_any_bytes_are_rows_whatever_the_pieces_and_each_row_can_be_gone_on_from(
    data: bytes, separator: str, pieces: list[int]
) -> None:
    splitter = RowSplitter(separator, "cp1252")
    rows = [*splitter.feed(data), *splitter.finish()]
    assert [row.cells for row in rows] == rows_of(data, separator, "cp1252", pieces)
    assert (rows[-1].end if rows else 0) == len(data)
    for place, row in enumerate(rows):
        again = RowSplitter(separator, "cp1252", offset=row.end, line=row.next_line)
        assert [*again.feed(data[row.end :]), *again.finish()] == rows[place + 1 :]


def test_a_mark_that_is_never_closed_holds_up_nothing() -> None:
    lines = ["33611223344;ok", '33612345678;"open', *[f"336123456{n:02d};x" for n in range(80)]]
    found = rows_of("\n".join(lines).encode(), ";")
    assert len(found) == 82
    assert found[1] == ["33612345678", '"open']


def test_a_row_without_an_end_is_refused_and_the_next_is_read() -> None:
    data = b"33611223344\n" + b"x" * (3 * MAX_ROW_BYTES) + b"\n33612345678;after\n"
    assert rows_of(data, ";", pieces=[10_000] * 30) == [["33611223344"], [], ["33612345678", "after"]]
    splitter = RowSplitter(";", "utf-8")
    assert [row.line for row in splitter.feed(data)] == [1, 2, 3]
    found = entry_of(splitter.feed(b"y" * 2 * MAX_ROW_BYTES + b"\n")[0], BY_PLACE, "FR")
    assert isinstance(found, Refusal)
    assert found.code == "row_too_long"


NAMES = [
    "Éloïse Lefèvre",
    "François Müller",
    "Zoé",
    "Benoît Côté",
    "Hélène d’Ys",
    "Noël Œuvrard",
    "MAÏTÉ",
    "José Núñez",
]


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "mac_roman"])
@pytest.mark.parametrize("name", NAMES)
def test_encodings_are_recognised(encoding: Encoding, name: str) -> None:
    data = f"33612345678;{name};Équipe\r\n".encode(encoding)
    sniffer = Sniffer()
    for at in range(len(data)):
        sniffer.take(data[at : at + 1])
    assert sniffer.verdict() == encoding
    assert rows_of(data, ";", encoding) == [["33612345678", name, "Équipe"]]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([*NAMES, "Anne", "O’Neil", "René", "Inès"]), min_size=3, max_size=30),
       st.sampled_from(["cp1252", "mac_roman"]))  # fmt: skip
def test_lists_of_names_are_recognised(names: list[str], encoding: Encoding) -> None:
    data = "\r".join(names).encode(encoding)
    sniffer = Sniffer()
    sniffer.take(data)
    if not data.isascii() and "’" not in "".join(names):
        assert sniffer.verdict() == encoding


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_byte_order_marks(codec: str) -> None:
    text = "Numéro\tNom\r\n33612345678\tÉloïse 🎉\r\n"
    mark = "\ufeff" if codec.endswith("e") else ""
    data = (mark + text).encode(codec)
    intake = Intake()
    stored = b"".join(intake.take(data[at : at + 3]) for at in range(0, len(data), 3)) + intake.finish()
    assert stored.decode() == text
    assert intake.encoding == "utf-8"
    assert intake.size_bytes == len(data)


@pytest.mark.parametrize("bad", [b"", b"\x00\x01", b"%PDF-1.7 ", b"\xd0\xcf\x11\xe0\xa1\xb1", b"abc\x00def"])
def test_what_is_no_file_of_contacts(bad: bytes) -> None:
    intake = Intake()
    with pytest.raises(InvalidError):  # noqa: PT012  at the first piece or at the end
        intake.take(bad)
        intake.finish()


@pytest.mark.parametrize(
    ("sample", "separator"),
    [
        ("33612345678", ";"),
        ("33612345678;Dupont, Jean", ";"),
        ("33612345678,Dupont; Jean", ","),
        ("33612345678\tDupont, Jean; Marie", "\t"),
        ("Nom,Mobile\nDupont,0612345678", ","),
        ('"a;b",0612345678\n"c;d",0612345679', ","),
        ("sep=,\n0612345678,x", ","),
        ("", ";"),
    ],
)
def test_separators_are_recognised(sample: str, separator: str) -> None:
    assert separator_of(sample.encode(), "utf-8") == separator


@pytest.mark.parametrize("word", ["number", "Numero", "NUMÉRO", "téléphone", "Mobile", "phone", " Phone "])
def test_a_header_names_its_columns_in_any_order(word: str) -> None:
    found = columns_of(["Groupe", "Ville", word, "NOM"])
    assert found == Columns(2, 3, 0, None, {1: "Ville"}, True)


def test_what_is_a_header_and_what_is_none() -> None:
    assert columns_of(["33612345678", "nom", "groupe"]) is None
    assert columns_of(["nom", "groupe"]) is None
    assert columns_of(["mobile", "0612345678"]) is None
    both = columns_of(["Téléphone", "Mobile", "Name"])
    assert both is not None
    assert (both.number, both.attributes) == (1, {0: "Téléphone"})


def test_extra_columns() -> None:
    without = entries("33612345678;A;G;extra\n33612345679;B;G;;\n")
    assert [each.notes for each in without if isinstance(each, Entry)] == [("columns_ignored",), ()]
    named = entries("number;ville;;langue\n33612345678;Paris;what;fr_CA\n33612345679;;;french!\n")
    first, second = (each for each in named if isinstance(each, Entry))
    assert (first.attributes, first.language, first.notes) == ({"ville": "Paris"}, "fr-CA", ("column_unnamed",))
    assert (second.attributes, second.language, second.notes) == ({}, None, ("language_unknown",))


@pytest.mark.parametrize(
    ("cell", "country", "number", "note"),
    [
        ("33612345678", "FR", "33612345678", None),
        ("+33 6 12 34 56 78", "FR", "33612345678", None),
        ("+33 (0)6 12 34 56 78", "FR", "33612345678", None),
        ("0033612345678", "FR", "33612345678", None),
        ("06.12.34.56.78", "FR", "33612345678", None),
        ("612345678", "FR", "33612345678", "leading_zero_restored"),
        ("6 12 34 56 78", "FR", "33612345678", "leading_zero_restored"),
        ('="0612345678"', "FR", "33612345678", None),
        ("'0612345678", "FR", "33612345678", None),
        ("33612345678.0", "FR", "33612345678", None),
        ("0692123456", "RE", "262692123456", None),
        ("612345678", "ES", "34612345678", None),
        ("33612345678", "ES", "33612345678", None),
    ],
)
def test_numbers(cell: str, country: str, number: str, note: str | None) -> None:
    assert read_number(cell, country) == (number, note)


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("", "number_empty"),
        ("  ", "number_empty"),
        ("3.36E+10", "number_rounded"),
        ("3,36E+10", "number_rounded"),
        ("Dupont", "number_not_numeric"),
        ("١٢٣٤٥٦٧٨", "number_not_numeric"),
        ("33", "number_impossible"),
        ("3361234567890123", "number_impossible"),
        ("33142685300", "number_not_mobile"),
    ],
)
def test_numbers_that_are_none(cell: str, code: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        read_number(cell, "FR")
    assert caught.value.code == code
    assert code in DETAILS


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40))
def test_a_cell_never_raises_anything_else(cell: str) -> None:
    for found in entries(cell + ";" + cell + "\n33612345678"):
        assert isinstance(found, (Entry, Refusal))
        if isinstance(found, Refusal):
            assert found.code in DETAILS


def test_cells_of_a_workbook() -> None:
    assert [text_of(cell) for cell in (33612345678.0, 1.5, "a\nb", True)] == ["33612345678", "1.5", "a b", "True"]
