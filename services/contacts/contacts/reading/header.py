"""Which column holds what: by the names of a header, in any order, or by place."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from contacts.domain.contact import MAX_ATTRIBUTE_NAME, MAX_ATTRIBUTES
from contacts.domain.folding import fold
from contacts.reading.numbers import looks_like_number

# A text message goes to a mobile: where a file has both, its `mobile` counts and its `telephone` is an attribute.
_MOBILES: Final = frozenset({"mobile", "portable", "mobile phone", "telephone mobile", "telephone portable", "gsm"})
_NUMBERS: Final = _MOBILES | {
    "number", "numero", "telephone", "phone", "tel", "phone number", "mobile number", "numero de telephone",
    "numero de mobile", "numero mobile", "msisdn",
}  # fmt: skip
_NAMES: Final = frozenset({"name", "nom"})
_GROUPS: Final = frozenset({"group", "groupe"})
_LANGUAGES: Final = frozenset({"language", "langue"})


class Columns(Struct, frozen=True):
    """Places of the columns, from 0. `attributes` names the others; `unnamed` have values that nothing names."""

    number: int = 0
    name: int | None = 1
    group: int | None = 2
    language: int | None = None
    attributes: dict[int, str] = {}
    has_header: bool = False

    def names_place(self, place: int) -> bool:
        """Whether a column is taken for something."""
        return place in self.attributes or place in (self.number, self.name, self.group, self.language)

    def names(self) -> dict[str, str]:
        """What the columns were taken for, by place from 1: for people."""
        known = {"number": self.number, "name": self.name, "group": self.group, "language": self.language}
        found = {place: name for name, place in known.items() if place is not None} | self.attributes
        return {str(place + 1): found[place] for place in sorted(found)}


BY_PLACE: Final = Columns()


def columns_of(cells: Sequence[str]) -> Columns | None:
    """What the first row names, or None when it is no header: a header names the number and holds none."""
    words = [" ".join(fold(cell).replace("_", " ").replace("-", " ").replace(".", " ").split()) for cell in cells]
    numbers = [place for place, word in enumerate(words) if word in _NUMBERS]
    if not numbers or any(looks_like_number(cell) for cell in cells):
        return None
    number = next((place for place in numbers if words[place] in _MOBILES), numbers[0])
    name, group, language = (_first(words, wanted) for wanted in (_NAMES, _GROUPS, _LANGUAGES))
    taken = {number, name, group, language}
    attributes = {
        place: " ".join(cell.split())[:MAX_ATTRIBUTE_NAME]
        for place, cell in enumerate(cells)
        if place not in taken and words[place]
    }
    first_named = dict(list(attributes.items())[:MAX_ATTRIBUTES])
    return Columns(number, name, group, language, first_named, has_header=True)


def _first(words: list[str], wanted: frozenset[str]) -> int | None:
    return next((place for place, word in enumerate(words) if word in wanted), None)
