"""What a campaign says to each of its recipients: their language, their values, the STOP mention, and the parts."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from campaign_scheduler.domain.placeholders import Pattern, ValueOf, parse
from carillon.events.audience import Recipient
from carillon.sms.segments import TextEncoding, segment

_STOP: Final = re.compile(r"\bSTOP\b", re.IGNORECASE)


class Written(NamedTuple):
    """A text as it goes out."""

    text: str
    encoding: TextEncoding
    parts: int


class Texts:
    """The contents of a campaign, ready to be written out.

    `contents` are texts by language, `language` the one for those who speak none of them. `stop_mention` is put after
    each text that does not speak of STOP itself, before anything is counted; empty: none is.
    """

    def __init__(self, contents: Mapping[str, str], language: str, stop_mention: str = "") -> None:
        self._language = language
        self._patterns = {name.casefold(): _with_stop(text, stop_mention) for name, text in contents.items()}
        self._only = next(iter(self._patterns.items()))
        # a text without placeholders is the same for everybody: it is cut once
        self._constant: dict[str, Written] = {}

    def pattern_for(self, language: str | None) -> tuple[str, Pattern]:
        """Exactly the language, else its first word (`fr` of `fr-CA`), else the campaign's own."""
        if len(self._patterns) == 1:
            return self._only
        if language:
            key = language.casefold()
            for name in (key, key.partition("-")[0]):
                if name in self._patterns:
                    return name, self._patterns[name]
        key = self._language.casefold()
        return key, self._patterns[key]

    def write(self, recipient: Recipient) -> Written:
        """The text for one person.

        Raises `ValueMissing`, and `ContentInvalid` for what no SMS can carry.
        """
        language, pattern = self.pattern_for(recipient.language)
        constant = self._constant.get(language)
        if constant is not None:
            return constant
        written = written_of(pattern.render(values_of(recipient)))
        if pattern.is_constant:
            self._constant[language] = written
        return written

    @property
    def needed(self) -> frozenset[str]:
        """Names of values that somebody must have, for want of a default."""
        return frozenset().union(*(pattern.needed for pattern in self._patterns.values()))


def written_of(text: str) -> Written:
    """Count the parts; raises `ContentInvalid`."""
    cut = segment(text)
    return Written(text, cut.encoding, len(cut.parts))


def values_of(recipient: Recipient) -> ValueOf:
    """`name`, `number` and `language` are the contact's own, every other name is an attribute, in any case."""

    def value_of(name: str) -> str | None:
        if name == "name":
            return recipient.name
        if name == "number":
            return "+" + recipient.number
        attributes = recipient.attributes
        if name in attributes:
            return attributes[name]
        for key, value in attributes.items():
            if key.casefold() == name:
                return value
        return recipient.language if name == "language" else None

    return value_of


def _with_stop(text: str, mention: str) -> Pattern:
    pattern = parse(text)
    if not mention or any(isinstance(piece, str) and _STOP.search(piece) for piece in pattern.pieces):
        return pattern
    return Pattern((*pattern.pieces, " " + mention))
