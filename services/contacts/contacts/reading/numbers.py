"""A cell that holds a number, as people and spreadsheets write it."""

import re
from functools import lru_cache
from typing import Final

import phonenumbers

from carillon.sms.numbers import NumberInvalid, recipient

_ROUNDED: Final = re.compile(r"[0-9](?:[.,][0-9]+)?[eE]\+?[0-9]{1,2}", re.ASCII)
_FORMULA: Final = re.compile(r'="?\+?([0-9 ]+)"?', re.ASCII)  # ="0612345678" keeps a zero from Excel
_DECIMALS: Final = re.compile(r"([0-9]{8,15})[.,]0+", re.ASCII)  # 33612345678.0: a number cell saved by a program
_AROUND: Final = re.compile(r"(?<=[0-9 ])\(0\)|[()/]")  # +33 (0)6 12 34 56 78, (06) 12/34/56/78
_DIGITS: Final = re.compile(r"[0-9]+", re.ASCII)
_LIKE_A_NUMBER: Final = re.compile(r"[=\"'+(]*[0-9][0-9 .\u00a0\u202f()-]{4,24}\"?", re.ASCII)

RESTORED: Final = "leading_zero_restored"

# What a row's report says, by code.
DETAILS: Final = {
    "number_empty": "there is no number",
    "number_not_numeric": "this is no telephone number",
    "number_impossible": "no telephone has this number",
    "number_not_mobile": "this number cannot receive messages: it is no mobile",
    "number_rounded": "a spreadsheet has rounded this number and its digits are lost: format the column as text",
    RESTORED: "the leading zero that a spreadsheet had dropped was restored",
}


class UnreadableError(ValueError):
    """Not a recipient, and why: a key of DETAILS."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def read_number(cell: str, country: str | None) -> tuple[str, str | None]:
    """E.164 digits (no plus) and a note (a key of DETAILS) or None; raises UnreadableError.

    Digits are an international number or else a national one of `country` (ISO 3166, two letters).
    """
    try:
        number = recipient(cell, country)
    except NumberInvalid as error:
        bare = _undressed(cell)
        if bare is None:
            raise UnreadableError("number_rounded" if _ROUNDED.fullmatch(cell.strip()) else error.code) from None
        return _read_again(bare, country)
    return number, _note(cell, number, country)


def looks_like_number(cell: str) -> bool:
    """Whether a cell is meant as a telephone number, a wrong or a rounded one included."""
    bare = cell.strip()
    return _LIKE_A_NUMBER.fullmatch(bare) is not None or _ROUNDED.fullmatch(bare) is not None


def _read_again(bare: str, country: str | None) -> tuple[str, str | None]:
    try:
        number = recipient(bare, country)
    except NumberInvalid as error:
        raise UnreadableError(error.code) from None
    return number, _note(bare, number, country)


def _undressed(cell: str) -> str | None:
    """The number without what spreadsheets and letterheads put around it; None when there is nothing of the kind."""
    bare = cell.strip()
    undressed = bare.removeprefix("'")
    formula = _FORMULA.fullmatch(undressed)
    if formula is not None:
        undressed = formula[1]
    decimals = _DECIMALS.fullmatch(undressed)
    if decimals is not None:
        undressed = decimals[1]
    undressed = _AROUND.sub("", undressed)
    return undressed if undressed != bare else None


def _note(raw: str, number: str, country: str | None) -> str | None:
    """A national number without the prefix that its country writes has lost it."""
    if raw == number or country is None:
        return None
    code, prefix = _dialling(country.upper())
    if prefix != "0":
        return None
    return RESTORED if number == code + "".join(_DIGITS.findall(raw)) else None


@lru_cache(maxsize=512)
def _dialling(country: str) -> tuple[str, str | None]:
    """Calling code and national prefix."""
    plan = phonenumbers.PhoneMetadata.metadata_for_region(country, None)
    return str(phonenumbers.country_code_for_region(country)), plan.national_prefix if plan is not None else None
