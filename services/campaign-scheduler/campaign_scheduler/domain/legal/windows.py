"""The next moment at which a message may leave, and the rule that holds it back until then."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from campaign_scheduler.domain.legal.places import Place, places_of, plan_of, region_of, zones_of
from campaign_scheduler.domain.legal.profiles import Profile, profile_for
from campaign_scheduler.domain.legal.public_holidays import is_holiday

_MINUTE_MS = 60_000
_MOST_STEPS = 400  # closed stretches looked at; a year of them is no calendar


@dataclass(frozen=True, slots=True)
class Opening:
    """`at_ms`: when the message may leave (Unix milliseconds). `rule`: what deferred it; None: it may leave at once.

    Rules read `<profile>@<version>:hours`, `...:weekday` or `...:holiday 2026-07-14`.
    """

    at_ms: int
    rule: str | None


def next_open(profile: str, number: str, at_ms: int, *, alsace_moselle: bool = False) -> Opening:
    """When a message to this international number (digits) may leave, at `at_ms` or after.

    A number that may be in several places (a calling code with several clocks) waits until all are open.
    `KeyError` for a name that is no profile.
    """
    plan = plan_of(number[:3])
    places = places_of(region_of(number, plan), zones_of(number, plan), alsace_moselle)
    found = _next_open(profile_for(profile, plan.code), places, at_ms // _MINUTE_MS)
    if found is None:
        return Opening(at_ms, None)
    minute, rule = found
    return Opening(minute * _MINUTE_MS, rule)


@lru_cache(maxsize=50_000)
def _next_open(profile: Profile, places: tuple[Place, ...], minute: int) -> tuple[int, str] | None:
    """Windows begin and end on whole minutes, so one answer serves every message of a minute."""
    rule: str | None = None
    for _ in range(_MOST_STEPS):
        closed = [found for place in places if (found := _closed(profile, place, minute)) is not None]
        if not closed:
            return None if rule is None else (minute, rule)
        rule = rule or closed[0][1]
        minute = max(until for until, _ in closed)
    raise ValueError(f"{profile.id} is never open in {places}")


def _closed(profile: Profile, place: Place, minute: int) -> tuple[int, str] | None:
    """If the place is closed: the minute at which its next stretch of hours begins or is to be looked at, and why."""
    local = datetime.fromtimestamp(minute * 60, UTC).astimezone(place.zone)
    today = local.date()
    if profile.holidays and is_holiday(today, place.calendars):
        return _minute_of(place, today + timedelta(days=1), 0), f"{profile.id}:holiday {today.isoformat()}"
    hours = profile.hours[today.weekday()]
    now = local.hour * 60 + local.minute
    for begin, end in hours:
        if begin <= now < end:
            return None
        if now < begin:
            return _minute_of(place, today, begin), f"{profile.id}:hours"
    return _minute_of(place, today + timedelta(days=1), 0), f"{profile.id}:{'hours' if hours else 'weekday'}"


def _minute_of(place: Place, day: date, minute_of_day: int) -> int:
    local = datetime.combine(day, time(minute_of_day // 60, minute_of_day % 60), place.zone)
    return int(local.timestamp()) // 60
