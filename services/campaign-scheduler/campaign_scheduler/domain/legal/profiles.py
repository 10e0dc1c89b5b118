"""The profiles: on which days and hours messages of a content class may leave. Data with its sources.

A profile is never edited once a message was deferred by it: a change is a new version, and the rule's id names it.
"""

from dataclasses import dataclass

HoursOfDay = tuple[tuple[int, int], ...]  # (from, to) in minutes after local midnight; `to` is the first closed minute

_DAY: HoursOfDay = ((8 * 60, 20 * 60),)
_LONG_DAY: HoursOfDay = ((8 * 60, 22 * 60),)
_OFFICE_DAY: HoursOfDay = ((10 * 60, 13 * 60), (14 * 60, 20 * 60))
_CLOSED: HoursOfDay = ()
_ALWAYS: HoursOfDay = ((0, 24 * 60),)


@dataclass(frozen=True, slots=True)
class Profile:
    """`hours` by weekday, Monday first; `holidays`: whether a public holiday is closed all day."""

    name: str
    version: int
    hours: tuple[HoursOfDay, ...]
    holidays: bool

    @property
    def id(self) -> str:
        """How rules name it: `fr-marketing@1`."""
        return f"{self.name}@{self.version}"


PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        # alerts, one-time codes, service messages: no window
        Profile("none", 1, (_ALWAYS,) * 7, holidays=False),
        # usage of the profession (CNIL's and operators' advice): Monday to Saturday, 8 to 20 h, no public holiday
        Profile("fr-marketing", 1, (*((_DAY,) * 6), _CLOSED), holidays=True),
        # the most that French operators let through for marketing: 8 to 22 h, neither Sundays nor public holidays
        Profile("fr-carrier-max", 1, (*((_LONG_DAY,) * 6), _CLOSED), holidays=True),
        # hours of telephone canvassing (Code de la consommation, D. 223-9): Monday to Friday, 10-13 h and 14-20 h
        Profile("fr-strict", 1, (*((_OFFICE_DAY,) * 5), _CLOSED, _CLOSED), holidays=True),
        # every country that has no profile of its own
        Profile("default", 1, (*((_DAY,) * 6), _CLOSED), holidays=True),
    )
}

# Calling codes of France and of its overseas territories: there the French profiles hold, each in its own clock.
FRENCH_CALLING_CODES = frozenset({"33", "262", "508", "590", "594", "596", "681", "687", "689"})


def profile_for(name: str, calling_code: str) -> Profile:
    """The profile in force for a recipient: a French one outside France gives way to the default.

    `KeyError` for a name that is no profile.
    """
    profile = PROFILES[name]
    if profile.name.startswith("fr-") and calling_code not in FRENCH_CALLING_CODES:
        return PROFILES["default"]
    return profile
