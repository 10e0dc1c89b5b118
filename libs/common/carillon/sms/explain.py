"""A text that explains itself: what forces UCS-2, what it costs, and the cheaper text."""

import unicodedata

from msgspec import Struct

from carillon.sms.alphabet import GSM_BASIC, GSM_EXTENSION
from carillon.sms.segments import TextEncoding, segment
from carillon.sms.substitutions import substitution

_GSM = GSM_BASIC | GSM_EXTENSION


class Offender(Struct, frozen=True):
    """A character that GSM lacks.

    `position` is its first, in characters from 0; `count` is how often it occurs.

    `instead` can replace it (perhaps by nothing); None where nothing can.
    """

    character: str
    position: int
    count: int
    name: str
    instead: str | None
    meaning_kept: bool


class Explanation(Struct, frozen=True):
    """How a text goes out. `cheaper` is there only if it takes fewer parts; `meaning_kept` is its own."""

    encoding: TextEncoding
    parts: int
    units: int
    units_left: int
    offenders: tuple[Offender, ...] = ()
    cheaper: str | None = None
    cheaper_parts: int | None = None
    meaning_kept: bool = True


def explain(text: str, *, wide_ref: bool = False) -> Explanation:
    """Explain `text`; raises ContentInvalid where `segment` does.

    Text is composed first (NFC): an `e` followed by a combining acute accent is the GSM letter `é`.
    """
    now = segment(text, wide_ref=wide_ref)
    if now.encoding == "gsm":
        return Explanation("gsm", len(now.parts), now.units, now.units_left)
    offenders = _offenders(text)
    cheaper, meaning_kept = _substituted(unicodedata.normalize("NFC", text))
    cheaper_parts = len(segment(cheaper, wide_ref=wide_ref).parts) if cheaper else len(now.parts)
    if cheaper_parts >= len(now.parts):
        return Explanation("ucs2", len(now.parts), now.units, now.units_left, offenders)
    return Explanation(
        "ucs2", len(now.parts), now.units, now.units_left, offenders, cheaper, cheaper_parts, meaning_kept
    )


def _offenders(text: str) -> tuple[Offender, ...]:
    """Each kind once, in the order of first appearance."""
    first: dict[str, int] = {}
    count: dict[str, int] = {}
    for position, character in enumerate(text):
        if character not in _GSM:
            first.setdefault(character, position)
            count[character] = count.get(character, 0) + 1
    return tuple(_offender(character, at, count[character]) for character, at in first.items())


def _offender(character: str, position: int, count: int) -> Offender:
    found = substitution(character)
    return Offender(
        character,
        position,
        count,
        unicodedata.name(character, f"U+{ord(character):04X}"),
        None if found is None else found.instead,
        found is not None and found.meaning_kept,
    )


def _substituted(text: str) -> tuple[str | None, bool]:
    """The whole text in GSM and whether its meaning is kept; None where one character has no substitution."""
    pieces: list[str] = []
    meaning_kept = True
    for character in text:
        if character in _GSM:
            pieces.append(character)
            continue
        found = substitution(character)
        if found is None:
            return None, False
        pieces.append(found.instead)
        meaning_kept = meaning_kept and found.meaning_kept
    return "".join(pieces), meaning_kept
