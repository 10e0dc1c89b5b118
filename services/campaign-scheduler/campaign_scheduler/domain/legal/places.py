"""Where a number may be: the clocks that it may live by, and whose public holidays may be its own.

A number that may be in several places is written to only while all of them are open.
"""

from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE
from phonenumbers.tzdata import TIMEZONE_DATA

from carillon.sms.numbers import country_of

# +262 is one numbering plan: mobile numbers of La Réunion and Mayotte move between the islands.
_ONE_PLAN = frozenset({"262"})

# Public holidays (country and subdivision in PyPI `holidays`) of places that are more than a country's mainland.
_SUBDIVISIONS: dict[str, tuple[tuple[str, str | None], ...]] = {
    "Indian/Reunion": (("FR", "974"),),
    "Indian/Mayotte": (("FR", "976"),),
    # +590 is shared by Guadeloupe, Saint-Martin and Saint-Barthélemy
    "America/Guadeloupe": (("FR", "971"), ("FR", "MF"), ("FR", "BL")),
    "America/Martinique": (("FR", "972"),),
    "America/Cayenne": (("FR", "973"),),
    "America/Miquelon": (("FR", "PM"),),
    "Pacific/Noumea": (("FR", "NC"),),
    "Pacific/Tahiti": (("FR", "PF"),),
    "Pacific/Marquesas": (("FR", "PF"),),
    "Pacific/Gambier": (("FR", "PF"),),
    "Pacific/Wallis": (("FR", "WF"),),
}
_ALSACE_MOSELLE = ("FR", "6AE")  # Good Friday and 26 December on top


@dataclass(frozen=True)
class Place:
    """A clock, and the calendars of public holidays that may hold there."""

    zone: ZoneInfo
    calendars: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a calling code tells: its region if it has but one, and how long its time zones' prefixes are."""

    code: str
    region: str | None
    longest_prefix: int


@lru_cache(maxsize=1_000)
def plan_of(first_three_digits: str) -> Plan:
    """The numbering plan that an international number is of."""
    for size in (1, 2, 3):
        code = first_three_digits[:size]
        regions = COUNTRY_CODE_TO_REGION_CODE.get(int(code), ())
        if regions:
            prefixes = [len(prefix) for prefix in TIMEZONE_DATA if prefix.startswith(code)]
            longest = len(code) if code in _ONE_PLAN else max(prefixes, default=0)
            return Plan(code, regions[0] if len(regions) == 1 or code in _ONE_PLAN else None, longest)
    return Plan("", "", 0)


def zones_of(number: str, plan: Plan) -> tuple[str, ...]:
    """Time zones that an international number may be in, by its longest known prefix; UTC when none is known."""
    for size in range(plan.longest_prefix, 0, -1):
        zones: tuple[str, ...] | None = TIMEZONE_DATA.get(number[:size])
        if zones is not None:
            return zones
    return ("UTC",)


def region_of(number: str, plan: Plan) -> str:
    """ISO 3166 code of the country whose holidays count."""
    return plan.region if plan.region is not None else country_of(number)


@lru_cache(maxsize=10_000)
def places_of(region: str, zones: tuple[str, ...], alsace_moselle: bool) -> tuple[Place, ...]:
    """The places behind a region and its zones; `alsace_moselle`: the account or the contact says so."""
    mainland = (_ALSACE_MOSELLE if region == "FR" and alsace_moselle else (region, None),)
    return tuple(Place(ZoneInfo(zone), _SUBDIVISIONS.get(zone, mainland)) for zone in zones)
