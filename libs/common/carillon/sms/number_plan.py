"""One regular expression a country code, from phonenumbers' own metadata: its mobile numbers.

It only ever accepts: what it does not match, the library decides. It accepts exactly what the library calls
MOBILE or FIXED_LINE_OR_MOBILE and would not rewrite (the order of the checks is that of its `number_type`),
and the group that matched is named after the country.
"""

import re
from typing import Final

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE
from phonenumbers.phonemetadata import PhoneMetadata, PhoneNumberDesc

NON_GEOGRAPHIC: Final = "001"
MAX_COUNTRY_CODE_DIGITS: Final = 3
_NEVER: Final = "(?!)"


def country_code_of(digits: str) -> int | None:
    """Country calling code that an international number starts with.

    They are prefix-free: one at most fits.
    """
    for size in range(1, MAX_COUNTRY_CODE_DIGITS + 1):
        code = digits[:size]
        if code.isdigit() and code[0] != "0" and int(code) in COUNTRY_CODE_TO_REGION_CODE:
            return int(code)
    return None


def compile_plan(country_code: int) -> re.Pattern[str]:
    """The pattern that whole mobile numbers of a country code match, without plus."""
    regions = COUNTRY_CODE_TO_REGION_CODE[country_code]
    plans = [_metadata(region, country_code) for region in regions]
    branches: list[str] = []
    claimed_before = ""
    for region, plan in zip(regions, plans, strict=True):
        group = "?:" if region == NON_GEOGRAPHIC else f"?P<{region}>"
        branches.append(f"({group}{claimed_before}{_mobile(plan)})")
        claimed_before += f"(?!{_claim(plan)})"
    rewritten = _rewritten(plans[0], country_code)
    return re.compile(rf"{country_code}{rewritten}(?:{'|'.join(branches)})\Z", re.ASCII)


def _metadata(region: str, country_code: int) -> PhoneMetadata:
    plan = PhoneMetadata.metadata_for_region_or_calling_code(country_code, region)
    if plan is None:
        raise LookupError(f"phonenumbers has no metadata for {region}")
    return plan


def _claim(plan: PhoneMetadata) -> str:
    """What makes the library take this region, in the order of the list, before it looks at the next one."""
    if plan.leading_digits is not None:
        return f"(?:{plan.leading_digits})"
    kinds = "|".join([*_others(plan), _desc(plan.fixed_line), _desc(plan.mobile)])
    return rf"(?={_desc(plan.general_desc)}\Z)(?:{kinds})\Z"


def _mobile(plan: PhoneMetadata) -> str:
    claim = "" if plan.leading_digits is None else f"(?={plan.leading_digits})"
    general = rf"(?={_desc(plan.general_desc)}\Z)"
    others = rf"(?!(?:{'|'.join(_others(plan))})\Z)"
    mobile = _desc(plan.fixed_line if plan.same_mobile_and_fixed_line_pattern else plan.mobile)
    return claim + rf"(?={mobile}\Z)" + general + others + r"\d+"


def _others(plan: PhoneMetadata) -> list[str]:
    """The types that the library looks at before mobiles."""
    kinds = (
        plan.premium_rate,
        plan.toll_free,
        plan.shared_cost,
        plan.voip,
        plan.personal_number,
        plan.pager,
        plan.uan,
        plan.voicemail,
    )
    return [pattern for pattern in map(_desc, kinds) if pattern != _NEVER] or [_NEVER]


def _desc(desc: PhoneNumberDesc | None) -> str:
    if desc is None or not desc.national_number_pattern:
        return _NEVER
    pattern = f"(?:{desc.national_number_pattern})"
    lengths = [length for length in desc.possible_length if length > 0]
    if not lengths:
        return pattern
    sizes = "|".join(rf"\d{{{length}}}" for length in lengths)
    return rf"(?=(?:{sizes})\Z){pattern}"


def _rewritten(plan: PhoneMetadata, country_code: int) -> str:
    """Not where a national prefix stands after the country code: the library strips or transforms it."""
    prefix = plan.national_prefix_for_parsing
    if not prefix:
        return ""
    return rf"(?!(?:{prefix})(?<!^{country_code}))"
