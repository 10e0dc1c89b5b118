"""The operator's id of a part: the submit's answer and the report do not always write it alike.

Operators answer `1A2B` and report `6699`, or `0000006699`, or `1a2b`. The rule is the operator's
`report_id` setting; it says how reports write the id: `same` as the answer, or `hex` where the answer is
decimal, or `decimal` where it is hex.
"""

import re
from typing import Final, Literal, get_args

ReportIdRule = Literal["same", "hex", "decimal"]
REPORT_ID_RULES: Final[tuple[ReportIdRule, ...]] = get_args(ReportIdRule)

_DECIMAL: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
_HEX: Final = re.compile(r"(?:0[xX])?([0-9A-Fa-f]{1,16})", re.ASCII)
_PADDED: Final = ("08x", "016x")  # as C programs print ids: %08x, %016x, %010u
_DECIMAL_WIDTH: Final = 10


def submit_ref(rule: ReportIdRule, value: str) -> str:
    """The id of a submit's answer, normalised so that `report_ref` of its report is equal."""
    value = value.strip(" \0")
    if rule == "hex":
        return value.lstrip("0") or value[:1] if _DECIMAL.fullmatch(value) else value
    if rule == "decimal":
        number = _HEX.fullmatch(value)
        return format(int(number[1], 16), "x") if number else value
    return value


def report_ref(rule: ReportIdRule, value: str) -> str:
    """The id in a report, in the form that `submit_ref` gives; what is no number stays as it came."""
    value = value.strip(" \0")
    if rule == "hex":
        number = _HEX.fullmatch(value)
        return str(int(number[1], 16)) if number else value
    if rule == "decimal":
        return format(int(value), "x") if _DECIMAL.fullmatch(value) else value
    return value


def forgiving_refs(value: str) -> tuple[str, ...]:
    """Other ways to write the same id: case, zeros in front, hexadecimal for decimal and back.

    `value` itself is not among them. These can name another message (decimal 10 is not hexadecimal 10): a
    match counts only where the report's handset is the message's number too.
    """
    value = value.strip(" \0")
    forms: dict[str, None] = {value.lower(): None, value.upper(): None, value.lstrip("0") or value[:1]: None}
    if _DECIMAL.fullmatch(value):
        forms.update(dict.fromkeys(_decimal_forms(int(value))))
        forms.update(dict.fromkeys(_hex_forms(int(value))))
    number = _HEX.fullmatch(value)
    if number:
        forms.update(dict.fromkeys(_hex_forms(int(number[1], 16))))
        forms.update(dict.fromkeys(_decimal_forms(int(number[1], 16))))
    forms.pop(value, None)
    forms.pop("", None)
    return tuple(forms)


def _decimal_forms(number: int) -> list[str]:
    return [str(number), str(number).zfill(_DECIMAL_WIDTH)]


def _hex_forms(number: int) -> list[str]:
    forms = [format(number, "x")] + [format(number, padded) for padded in _PADDED]
    return forms + [form.upper() for form in forms]
