"""STOP is recognised however a thumb writes it, and never guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts.inbound.keywords import wish_of


@pytest.mark.parametrize(
    "text",
    [
        "STOP", "stop", " Stop. ", "STOP!!!", "\u00ab STOP \u00bb", "S.T.O.P", "s t o p", "stop stop", "STOPALL",
        "Stop all", "ARRET", "Arr\u00eat", "arre\u0302t", "D\u00c9SABO", "d\u00e9sinscription", "UNSUBSCRIBE",
        "STOP SMS", "stop pub svp", "Stop, merci", "opt-out", "\u0421\u0422\u041e\u041f", "STOP\n", "stop\u00a0",
        "*STOP*", "QUIT", "end", "Cancel", "\uff33\uff34\uff2f\uff30", "STOP \U0001f621",
    ],
)  # fmt: skip
def test_stop(text: str) -> None:
    assert wish_of(text) == "stop"


@pytest.mark.parametrize("text", ["START", " start ", "Unstop", "START!", "opt in"])
def test_start(text: str) -> None:
    assert wish_of(text) == "start"


@pytest.mark.parametrize(
    "text",
    [
        "STOP 12345", "Please stop writing to me", "arr\u00eatez: STOP", "je veux me desinscrire", "stop start",
        "don't stop", "STOP36111",
    ],
)  # fmt: skip
def test_what_a_person_has_to_read(text: str) -> None:
    assert wish_of(text) == "unclear"


@pytest.mark.parametrize(
    "text", ["", "  ", "...", "yes", "OK", "the end of it", "I cancel my table", "stopover in Rome", "nonstop", "1"]
)
def test_what_is_about_something_else(text: str) -> None:
    assert wish_of(text) is None


def test_a_picture_says_nothing() -> None:
    assert wish_of(None) is None


def test_a_part_of_a_longer_text_is_read_by_a_person() -> None:
    assert wish_of("STOP", is_part=True) == "unclear"
    assert wish_of("START", is_part=True) is None


@given(st.text(max_size=200))
def test_any_text_has_one_reading_whatever_its_case_and_edges(text: str) -> None:
    wish = wish_of(text)
    assert wish in ("stop", "start", "unclear", None)
    assert wish_of(f"  {text}!\n") == wish
