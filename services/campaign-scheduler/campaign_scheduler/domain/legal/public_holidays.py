"""Public holidays, from PyPI `holidays`: its version is that of the calendar."""

from datetime import date
from functools import lru_cache

import holidays
from holidays.version import __version__ as _holidays_version

CALENDAR_VERSION = f"holidays-{_holidays_version}"


@lru_cache(maxsize=2_000)
def _days(country: str, subdivision: str | None, year: int) -> frozenset[date]:
    try:
        return frozenset(holidays.country_holidays(country, subdiv=subdivision, years=year))
    except NotImplementedError:  # a country that the library does not know: only hours and weekdays count there
        return frozenset()


def is_holiday(day: date, calendars: tuple[tuple[str, str | None], ...]) -> bool:
    """Whether any of the calendars (country, subdivision) has it as a public holiday."""
    return any(day in _days(country, subdivision, day.year) for country, subdivision in calendars)
