"""Who a message is for: an international mobile number, digits only, or a reason why not."""

import re
from collections.abc import Callable
from typing import Final, Literal

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

from carillon.sms.number_plan import NON_GEOGRAPHIC, compile_plan, country_code_of

NumberProblem = Literal["number_empty", "number_not_numeric", "number_impossible", "number_not_mobile"]
MIN_DIGITS: Final = 8
MAX_DIGITS: Final = 15

_SEPARATORS: Final = re.compile("[ .\u00a0\u202f\u2010-\u2015-]+")
_DIGITS: Final = re.compile(r"[0-9]+", re.ASCII)
_MOBILE_TYPES: Final = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})
_Match = Callable[[str], re.Match[str] | None]


class NumberInvalid(ValueError):  # noqa: N818  says what is wrong with the value
    """Not a recipient. `digits` is what was read, for a message or a log that may show it."""

    def __init__(self, code: NumberProblem, digits: str = "") -> None:
        super().__init__(code)
        self.code: NumberProblem = code
        self.digits = digits


def _no_plan(_digits: str) -> None:
    return None


# By the first three characters of a number: the match of its country's plan, compiled when a country is
# first met.
_plans: dict[str, _Match] = {}


def recipient(raw: str, country: str | None = None) -> str:
    """The E.164 digits (no plus) of a recipient; raises NumberInvalid.

    A leading `+` or `00`, and spaces, dots and dashes anywhere, are forgiven. With `country` (ISO 3166, two
    letters) digits without `+` or `00` that are no international number are read as that country's national ones,
    with or without their leading zero. Short codes, landline-only and premium ranges are no recipients.
    """
    plan = _plans.get(raw[:3])
    if plan is not None and MIN_DIGITS <= len(raw) <= MAX_DIGITS and plan(raw) is not None:
        return raw
    return _recipient(raw, country)


def country_of(number: str) -> str:
    """ISO 3166 country of an international number (digits only, landlines too), or an empty string."""
    matched = _plan_of(number)(number)
    if matched is not None:
        return matched.lastgroup or ""
    parsed = _parsed("+" + number, None)
    region = phonenumbers.region_code_for_number(parsed) if parsed is not None else None
    return "" if region is None or region == NON_GEOGRAPHIC else region


def _recipient(raw: str, country: str | None) -> str:
    bare = _SEPARATORS.sub("", raw.strip())
    if not raw.strip():
        raise NumberInvalid("number_empty")
    marked_international = bare.startswith(("+", "00"))
    digits = bare.removeprefix("+") if bare[:1] == "+" else bare.removeprefix("00")
    if _DIGITS.fullmatch(digits) is None:
        raise NumberInvalid("number_not_numeric", digits)
    try:
        return _international(digits)
    except NumberInvalid:
        if country is None or marked_international:
            raise
        national = _national(digits, country)
        if national is None:
            raise
        return national


def _international(digits: str) -> str:
    if not MIN_DIGITS <= len(digits) <= MAX_DIGITS:
        raise NumberInvalid("number_impossible", digits)
    if _plan_of(digits)(digits) is not None:
        return digits
    parsed = _parsed("+" + digits, None)
    if parsed is None:
        raise NumberInvalid("number_impossible", digits)
    kind = phonenumbers.number_type(parsed)
    if kind in _MOBILE_TYPES:
        return _checked_size(parsed, digits)
    raise NumberInvalid("number_impossible" if kind == PhoneNumberType.UNKNOWN else "number_not_mobile", digits)


def _national(digits: str, country: str) -> str | None:
    parsed = _parsed(digits, country.upper())
    if parsed is None or phonenumbers.number_type(parsed) not in _MOBILE_TYPES:
        return None
    return _checked_size(parsed, digits)


def _checked_size(parsed: PhoneNumber, digits: str) -> str:
    number = phonenumbers.format_number(parsed, PhoneNumberFormat.E164).removeprefix("+")
    if not MIN_DIGITS <= len(number) <= MAX_DIGITS:
        raise NumberInvalid("number_impossible", digits)
    return number


def _parsed(text: str, country: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None


def _plan_of(digits: str) -> _Match:
    prefix = digits[:3]
    plan = _plans.get(prefix)
    if plan is None:
        code = country_code_of(digits)
        if code is None or len(prefix) < len(str(code)):
            return _no_plan
        plan = _plans[prefix] = _compiled(code)
    return plan


_compiled_plans: dict[int, _Match] = {}


def _compiled(country_code: int) -> _Match:
    plan = _compiled_plans.get(country_code)
    if plan is None:
        plan = _compiled_plans[country_code] = compile_plan(country_code).match
    return plan
