"""Recipients: what is forgiven, what is refused and why, and no disagreement with phonenumbers."""

import random
from functools import cache
from typing import get_args

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneNumberFormat, PhoneNumberType

from carillon.sms.number_plan import compile_plan, country_code_of
from carillon.sms.numbers import NumberInvalid, NumberProblem, country_of, recipient

MOBILE_TYPES = {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}


@pytest.mark.parametrize(
    "raw",
    [
        "33612345678", "+33612345678", "0033612345678", "+33 6 12 34 56 78", " 33612345678 ", "33.6.12.34.56.78",
        "33-6-12-34-56-78", "+33\u00a06\u202f12345678", "+33-0612345678", " 0033 6 12 34 56 78\t", "33‑612345678",
    ],
)  # fmt: skip
def test_forgiven(raw: str) -> None:
    assert recipient(raw) == "33612345678"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("", "number_empty"),
        ("  \t", "number_empty"),
        ("abc", "number_not_numeric"),
        ("+", "number_not_numeric"),
        ("--", "number_not_numeric"),
        ("336123x5678", "number_not_numeric"),
        ("33+612345678", "number_not_numeric"),
        ("++33612345678", "number_not_numeric"),
        ("3.36E+10", "number_not_numeric"),
        ("(33)612345678", "number_not_numeric"),
        ("٣٣٦١٢٣٤٥٦٧٨", "number_not_numeric"),
        ("３３６１２３４５６７８", "number_not_numeric"),
        ("33612345678\n33612345679", "number_not_numeric"),
        ("1234567", "number_impossible"),
        ("1234567890123456", "number_impossible"),
        ("9" * 5000, "number_impossible"),
        ("38000", "number_impossible"),
        ("0612345678", "number_impossible"),
        ("00000000000", "number_impossible"),
        ("33012345678", "number_impossible"),
        ("33123456789", "number_not_mobile"),
        ("33899123456", "number_not_mobile"),
        ("336100000000", "number_impossible"),
        ("99912345678", "number_impossible"),
        ("18005550123", "number_not_mobile"),
        ("18002345678", "number_not_mobile"),
    ],
)
def test_refused(raw: str, code: str) -> None:
    with pytest.raises(NumberInvalid) as raised:
        recipient(raw)
    assert raised.value.code == code
    assert code in get_args(NumberProblem)


@pytest.mark.parametrize(
    ("raw", "country", "expected"),
    [
        ("0612345678", "FR", "33612345678"),
        ("06 12 34 56 78", "fr", "33612345678"),
        ("612345678", "FR", "33612345678"),  # a zero that a spreadsheet dropped
        ("33612345678", "FR", "33612345678"),
        ("447400123456", "FR", "447400123456"),  # international first
        ("+447400123456", "FR", "447400123456"),
        ("2025550123", "US", "12025550123"),
        ("07400 123456", "GB", "447400123456"),
        ("3123456789", "IT", "393123456789"),
        ("0033612345678", "GB", "33612345678"),
        ("061234567", "HU", None),
        ("0612345678", "XX", None),
        ("+612345678", "FR", None),  # marked as international: never national
        ("00612345678", "FR", None),
        ("0123456789", "FR", None),
    ],
)
def test_national_numbers(raw: str, country: str, expected: str | None) -> None:
    if expected is not None:
        assert recipient(raw, country) == expected
        return
    with pytest.raises(NumberInvalid):
        recipient(raw, country)


def library_verdict(digits: str) -> str:
    """What phonenumbers alone says of an international number: its digits, or the code of a refusal."""
    try:
        parsed = phonenumbers.parse("+" + digits)
    except phonenumbers.NumberParseException:
        return "number_impossible"
    number = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)[1:]
    kind = phonenumbers.number_type(parsed)
    if kind in MOBILE_TYPES and 8 <= len(number) <= 15:
        return number
    return "number_impossible" if kind in MOBILE_TYPES | {PhoneNumberType.UNKNOWN} else "number_not_mobile"


def our_verdict(digits: str) -> str:
    try:
        return recipient(digits)
    except NumberInvalid as error:
        return error.code


def random_numbers(count: int) -> list[str]:
    """Half of them near true mobiles of every country, half of them country code and anything."""
    chance = random.Random(20_000)
    examples = [
        phonenumbers.format_number(number, PhoneNumberFormat.E164)[1:]
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
        if (number := phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)) is not None
    ]
    examples = [number for number in examples if len(number) >= 8]
    codes = sorted(COUNTRY_CODE_TO_REGION_CODE)
    numbers: list[str] = []
    for at in range(count):
        if at % 2:
            example = chance.choice(examples)
            kept = chance.randint(2, len(example))
            numbers.append(example[:kept] + "".join(chance.choices("0123456789", k=len(example) - kept)))
        else:
            code = str(chance.choice(codes))
            size = chance.randint(8, 15)
            numbers.append(code + "".join(chance.choices("0123456789", k=size - len(code))))
    return numbers


def test_twenty_thousand_numbers_and_no_disagreement() -> None:
    numbers = random_numbers(20_000)
    verdicts = [(number, our_verdict(number), library_verdict(number)) for number in numbers]
    assert [verdict for verdict in verdicts if verdict[1] != verdict[2]] == []
    assert sum(1 for number, ours, _ in verdicts if ours == number) > 4_000


plan_of = cache(compile_plan)


def test_the_pattern_alone_accepts_what_the_library_does() -> None:
    for number in random_numbers(6_000):
        code = country_code_of(number)
        if code is None or not 8 <= len(number) <= 15:
            continue
        matched = plan_of(code).match(number)
        assert (matched is not None) == (library_verdict(number) == number), number
        if matched is not None:
            region = phonenumbers.region_code_for_number(phonenumbers.parse("+" + number))
            assert (matched.lastgroup or "001") == region


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("33612345678", "FR"), ("33123456789", "FR"), ("12025550123", "US"), ("14165550123", "CA"),
        ("447400123456", "GB"), ("77710009998", "KZ"), ("79123456789", "RU"), ("870772001234", ""),
        ("99912345678", ""), ("", ""), ("0", ""),
        ("336100000000", "FR"),  # impossible, but the country code says so much
    ],
)  # fmt: skip
def test_country_of(number: str, country: str) -> None:
    assert country_of(number) == country


@given(st.text(max_size=30), st.sampled_from([None, "FR", "US", "??"]))
def test_raises_nothing_but_its_own_error(raw: str, country: str | None) -> None:
    try:
        number = recipient(raw, country)
    except NumberInvalid:
        return
    assert number.isascii()
    assert number.isdigit()
    assert 8 <= len(number) <= 15


@given(st.text(st.sampled_from("0123456789+-. "), max_size=20), st.sampled_from([None, "FR", "IT", "US"]))
def test_a_recipient_is_its_own_normal_form(raw: str, country: str | None) -> None:
    try:
        number = recipient(raw, country)
    except NumberInvalid:
        return
    assert recipient(number) == number
