"""Senders of the legacy door and of the JSON API."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carillon.events.message import SenderType
from carillon.sms.sender import TON_NPI, Sender, SenderInvalid, guess_sender, sender


@pytest.mark.parametrize(
    ("type_name", "value", "expected"),
    [
        ("mobile", "33612345678", Sender("international", "33612345678", 1, 1)),
        ("MOBILE", "+33612345678", Sender("international", "33612345678", 1, 1)),
        ("mobile", "1" * 15, Sender("international", "1" * 15, 1, 1)),
        ("number", "38000", Sender("national", "38000", 0, 1)),
        ("Number", "0612345678", Sender("national", "0612345678", 0, 1)),
        ("number", "1" * 15, Sender("national", "1" * 15, 0, 1)),
        ("text", "Carillon", Sender("alphanumeric", "Carillon", 5, 0)),
        ("texte", "My_Shop 24", Sender("alphanumeric", "My_Shop 24", 5, 0)),
        ("TEXTE", " ABCDEFGHIJK ", Sender("alphanumeric", "ABCDEFGHIJK", 5, 0)),
    ],
)
def test_senders(type_name: str, value: str, expected: Sender) -> None:
    assert sender(type_name, value) == expected


def test_an_international_sender_is_shown_with_its_plus() -> None:
    assert sender("mobile", "33612345678").shown == "+33612345678"
    assert sender("number", "38000").shown == "38000"


@pytest.mark.parametrize(
    ("type_name", "value"),
    [
        ("mobile", ""), ("mobile", "1" * 16), ("mobile", "++33612345678"), ("mobile", "33 612"), ("mobile", "+"),
        ("mobile", "abc"), ("mobile", "٣٣٦١٢٣٤٥٦٧٨"), ("number", ""), ("number", "+338"), ("number", "1" * 16),
        ("number", "12a"), ("text", ""), ("text", " "), ("text", "ABCDEFGHIJKL"), ("text", "Café"), ("text", "A-B"),
        ("text", "A\nB"), ("text", "AB\n"), ("text", "\nAB"), ("text", "A\0"), ("number", "123\n"),
        ("mobile", "33612345678\n"), ("image", "A"), ("", "A"),
    ],
)  # fmt: skip
def test_refused_senders(type_name: str, value: str) -> None:
    with pytest.raises(SenderInvalid) as raised:
        sender(type_name, value)
    assert raised.value.code == "sender_invalid"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("+33612345678", "international"), ("33612345678", "international"), ("38000", "national"),
        ("0612345678", "national"), ("Carillon", "alphanumeric"), ("3615 ULLA", "alphanumeric"),
    ],
)  # fmt: skip
def test_a_sender_without_type(value: str, kind: str) -> None:
    assert guess_sender(value).kind == kind


@given(st.sampled_from(["mobile", "number", "text", "x", None]), st.text(max_size=20))
def test_nothing_unprintable_ever_passes(type_name: str | None, value: str) -> None:
    try:
        made = guess_sender(value) if type_name is None else sender(type_name, value)
    except SenderInvalid:
        return
    assert made.value.isascii()
    assert made.value.isprintable()
    assert 1 <= len(made.value) <= 15


def test_the_kinds_are_those_of_the_events() -> None:
    assert set(TON_NPI) == set(get_args(SenderType))
