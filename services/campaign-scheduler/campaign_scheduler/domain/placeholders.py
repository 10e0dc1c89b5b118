"""Texts with placeholders: `Hello {name|client}`. A doubled brace is a brace; a value that is missing is an error.

A name is matched in any case. A value of blanks alone counts as missing, and a default has something in it: no text
leaves with an empty hole.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from msgspec import Struct

# a brace that is doubled, a whole placeholder, or a brace that is neither
_TOKEN: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_NAME: Final = re.compile(r"[^\W\d](?:[\w .-]{0,62}\w)?")

# The value of a name (in lower case), or None where there is none.
ValueOf = Callable[[str], str | None]


class TemplateInvalid(ValueError):  # noqa: N818  says what is wrong with the value
    """A text whose placeholders cannot be read. `code` is a stable word."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class ValueMissing(LookupError):  # noqa: N818
    """A placeholder without a default has no value for this recipient."""

    code = "value_missing"

    def __init__(self, name: str) -> None:
        super().__init__(f"no value and no default for {{{name}}}")
        self.name = name


class Placeholder(NamedTuple):
    """`name` is in lower case; `default` None: a value is needed."""

    name: str
    default: str | None


class Pattern(Struct, frozen=True):
    """A text as it is written: pieces of text and placeholders, in order."""

    pieces: tuple[str | Placeholder, ...]

    @property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """In order of appearance."""
        return tuple(piece for piece in self.pieces if isinstance(piece, Placeholder))

    @property
    def is_constant(self) -> bool:
        """Without a placeholder."""
        return len(self.pieces) < 2 and (not self.pieces or isinstance(self.pieces[0], str))

    @property
    def needed(self) -> frozenset[str]:
        """Names without a default."""
        defaulted = {one.name: one.default for one in self.placeholders}
        return frozenset(name for name in defaulted if any(p == (name, None) for p in self.placeholders))

    def render(self, value_of: ValueOf) -> str:
        """The text for one recipient; `ValueMissing` where a value is needed and there is none."""
        return "".join([piece if isinstance(piece, str) else _value(piece, value_of) for piece in self.pieces])

    def shown(self) -> str:
        """The text with its defaults, and `{name}` where there is none: for a preview without a recipient."""
        return "".join(
            piece if isinstance(piece, str) else piece.default if piece.default is not None else f"{{{piece.name}}}"
            for piece in self.pieces
        )


def parse(text: str) -> Pattern:
    """Read a text; `TemplateInvalid` says what is wrong and where."""
    pieces: list[str | Placeholder] = []
    plain: list[str] = []
    end = 0
    for token in _TOKEN.finditer(text):
        plain.append(text[end : token.start()])
        end = token.end()
        if token[0] in ("{{", "}}"):
            plain.append(token[0][0])
        elif token[1] is None:
            detail = f"a single {token[0]} at character {token.start() + 1}: double it, or write {{name}}"
            raise TemplateInvalid("placeholder_malformed", detail)
        else:
            if any(plain):
                pieces.append("".join(plain))
            plain = []
            pieces.append(_placeholder(token[1], token.start()))
    plain.append(text[end:])
    if any(plain):
        pieces.append("".join(plain))
    return Pattern(tuple(pieces))


def _placeholder(inside: str, at: int) -> Placeholder:
    name, bar, default = inside.partition("|")
    name = name.strip()
    if _NAME.fullmatch(name) is None:
        raise TemplateInvalid("placeholder_malformed", f"{{{inside}}} at character {at + 1} has no name")
    if bar and not default.strip():
        raise TemplateInvalid("default_empty", f"the default of {{{name}|}} is empty: write one, or leave the bar out")
    return Placeholder(name.casefold(), default if bar else None)


def _value(placeholder: Placeholder, value_of: ValueOf) -> str:
    name, default = placeholder
    value = value_of(name)
    if value is not None and (value := value.strip()):
        return value
    if default is None:
        raise ValueMissing(name)
    return default
