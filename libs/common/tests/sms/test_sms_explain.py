"""A text explains what forces UCS-2 and offers the cheaper text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carillon.sms.alphabet import GSM_BASIC, GSM_EXTENSION, is_gsm
from carillon.sms.explain import Offender, explain
from carillon.sms.segments import segment
from carillon.sms.substitutions import substitution


def test_a_gsm_text_has_nothing_to_explain() -> None:
    told = explain("Déjà vu à 10 €")
    assert (told.encoding, told.parts, told.units, told.offenders, told.cheaper) == ("gsm", 1, 15, (), None)


def test_typographic_signs_cost_nothing_to_replace() -> None:
    told = explain("L’été… «\u00a0ici\u00a0» " * 6)
    assert (told.encoding, told.parts, told.cheaper_parts, told.meaning_kept) == ("ucs2", 2, 1, True)
    assert told.cheaper == 'L\'été... " ici " ' * 6
    assert told.offenders[0] == Offender("’", 1, 6, "RIGHT SINGLE QUOTATION MARK", "'", True)
    assert [offender.character for offender in told.offenders] == ["’", "…", "«", "\u00a0", "»"]


def test_a_lost_accent_is_said() -> None:
    told = explain("ma pêche " * 10)
    assert (told.cheaper, told.meaning_kept) == ("ma peche " * 10, False)


def test_no_cheaper_text_where_it_saves_nothing_or_cannot_be() -> None:
    short = explain("pêche")
    assert (short.cheaper, short.offenders[0].instead) == (None, "e")
    told = explain("Привет " * 20)
    assert told.cheaper is None
    assert told.offenders[0].instead is None


def test_a_decomposed_accent_is_the_gsm_letter() -> None:
    told = explain("e\u0301" * 50)
    assert (told.parts, told.cheaper, told.cheaper_parts, told.meaning_kept) == (2, "é" * 50, 1, True)


@pytest.mark.parametrize(
    ("character", "instead", "kept"),
    [
        ("’", "'", True), ("“", '"', True), ("–", "-", True), ("œ", "oe", True), ("Œ", "OE", True), ("«", '"', True),
        ("\u202f", " ", True), ("\ufeff", "", True), ("\u00ad", "", True), ("Ａ", "A", True), ("\t", " ", True),
        ("ç", "c", False), ("À", "A", False), ("ł", "l", False), ("ő", "o", False), ("°", "o", False),
    ],
)  # fmt: skip
def test_substitution_of(character: str, instead: str, kept: bool) -> None:
    assert substitution(character) == (instead, kept)


@pytest.mark.parametrize("character", list("я中😀\x1b\ud83d"))
def test_nothing_stands_for(character: str) -> None:
    assert substitution(character) is None


@given(st.characters())
def test_substitutions_are_always_gsm(character: str) -> None:
    found = substitution(character)
    assert found is None or is_gsm(found.instead)


@given(st.text(st.one_of(st.sampled_from("’…ê«\u0301abc "), st.characters(codec="utf-8")), max_size=300))
@settings(deadline=None)
def test_explanation_agrees_with_the_segmenter(text: str) -> None:
    told = explain(text)
    now = segment(text)
    assert (told.encoding, told.parts, told.units, told.units_left) == (
        now.encoding, len(now.parts), now.units, now.units_left,
    )  # fmt: skip
    known = GSM_BASIC | GSM_EXTENSION
    assert sum(offender.count for offender in told.offenders) == sum(1 for sign in text if sign not in known)
    assert all(text[offender.position] == offender.character for offender in told.offenders)
    if told.cheaper is not None:
        cheaper = segment(told.cheaper)
        assert cheaper.encoding == "gsm"
        assert len(cheaper.parts) == told.cheaper_parts
        assert len(cheaper.parts) < told.parts
