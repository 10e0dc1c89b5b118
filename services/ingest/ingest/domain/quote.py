"""What a content would take, said so that a person can act on it: parts, encoding, and the text that costs less."""

from typing import Annotated

from msgspec import Meta, Struct

from carillon.events.message import Encoding
from carillon.sms.explain import explain
from ingest.domain.order import content_of
from ingest.domain.request import QuoteRequest


class ForcingCharacter(Struct, frozen=True):
    """A character that the GSM alphabet lacks: with it, an SMS holds 70 characters instead of 160."""

    character: str
    name: Annotated[str, Meta(description="Unicode name")]
    position: Annotated[int, Meta(description="of the first one, in characters from 0")]
    count: int
    instead: Annotated[str | None, Meta(description="what can stand for it; null when nothing can")]


class CheaperText(Struct, frozen=True):
    """The same text with such characters replaced; it takes fewer parts."""

    text: str
    parts: int
    meaning_kept: Annotated[bool, Meta(description="false when a reader would notice, as with a lost accent")]


class Quote(Struct, frozen=True):
    """The answer. Units are septets (gsm), UTF-16 units (ucs2) or octets (binary)."""

    encoding: Encoding
    parts: int
    units: int
    units_left: Annotated[int | None, Meta(description="room in the last part, for a text")]
    price_micros: Annotated[int | None, Meta(description="price of the message to `to`; null: there is none")]
    forces_ucs2: list[ForcingCharacter]
    cheaper: CheaperText | None


def quote_of(request: QuoteRequest) -> Quote:
    """Count and explain; `Refusal` when the content could not be sent."""
    content = content_of(request)
    if content.text is None:
        octets = len(content.data or "") // 2
        return Quote("binary", content.parts, octets, None, None, [], None)
    told = explain(content.text)
    cheaper = None
    if told.cheaper is not None and told.cheaper_parts is not None:
        cheaper = CheaperText(told.cheaper, told.cheaper_parts, told.meaning_kept)
    forcing = [
        ForcingCharacter(each.character, each.name, each.position, each.count, each.instead) for each in told.offenders
    ]
    return Quote(told.encoding, told.parts, told.units, told.units_left, None, forcing, cheaper)
