"""Who a message is from: the three kinds of originator, checked, with their SMPP type and plan of number."""

import re
from typing import Final, Literal, NamedTuple

SenderKind = Literal["international", "national", "alphanumeric"]

# Type of number and numbering plan: SMPP 3.4 clauses 5.2.5 and 5.2.6, 3GPP TS 23.040 clause 9.1.2.5.
# - international (1), ISDN plan (1): digits with their country code.
# - national here is type unknown (0), ISDN plan (1): "the user has no a priori information"; the operator
#   reads it by its own dialling plan, so that a short code and a national number both pass.
# - alphanumeric (5) has no plan (0).
TON_NPI: Final[dict[SenderKind, tuple[int, int]]] = {
    "international": (1, 1),
    "national": (0, 1),
    "alphanumeric": (5, 0),
}

_MOBILE: Final = re.compile(r"\+?([0-9]{1,15})", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
_TEXT: Final = re.compile(r"[a-zA-Z0-9_ ]{1,11}", re.ASCII)
_LONGEST_SHORT_CODE: Final = 6


class SenderInvalid(ValueError):  # noqa: N818  says what is wrong with the value
    """A sender that operators would not take. `code` is always `sender_invalid`; the message says why."""

    code = "sender_invalid"


class Sender(NamedTuple):
    """A checked originator. `value` is what goes into the address field: no plus, no blanks around."""

    kind: SenderKind
    value: str
    ton: int
    npi: int

    @property
    def shown(self) -> str:
        """As a person reads it: an international number has its plus."""
        return "+" + self.value if self.kind == "international" else self.value


def sender(type_name: str, value: str) -> Sender:
    """A sender of the legacy door's type `mobile`, `number`, `text` or `texte` (any case); or SenderInvalid.

    `mobile` has 15 digits at most, a plus is put in front (one that is there already is forgiven); `number`
    15 digits at most; `text` 11 of letters, digits, underscore and blank at most.
    """
    kind = type_name.lower()
    value = value.strip(" \t")
    if kind == "mobile":
        digits = _MOBILE.fullmatch(value)
        if digits is None:
            raise SenderInvalid("mobile: 1 to 15 digits")
        return Sender("international", digits[1], *TON_NPI["international"])
    if kind == "number":
        if _NUMBER.fullmatch(value) is None:
            raise SenderInvalid("number: 1 to 15 digits")
        return Sender("national", value, *TON_NPI["national"])
    if kind in ("text", "texte"):
        if _TEXT.fullmatch(value) is None:
            raise SenderInvalid("text: 1 to 11 of letters, digits, underscore and blank")
        return Sender("alphanumeric", value, *TON_NPI["alphanumeric"])
    raise SenderInvalid("the type is mobile, number or text")


def guess_sender(value: str) -> Sender:
    """A sender without a type, as the JSON API takes it; raises SenderInvalid.

    A plus, or more digits than a short code has, makes it international; other digits a number; the rest is
    text.
    """
    value = value.strip(" \t")
    if value.startswith("+"):
        return sender("mobile", value)
    if value.isascii() and value.isdigit():
        return sender("number" if len(value) <= _LONGEST_SHORT_CODE or value[0] == "0" else "mobile", value)
    return sender("text", value)
