"""When a recurring campaign comes again: RRULE (RFC 5545, 3.3.10) on the wall clock of its time zone.

09:00 stays 09:00 through a change of clocks. An hour that does not exist that day is an hour later; one that comes
twice counts once, the first.
"""

import warnings
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rrulestr

from campaign_scheduler.domain.errors import InvalidError

_FREQUENCIES: Final = frozenset({"YEARLY", "MONTHLY", "WEEKLY", "DAILY"})
_LONGEST: Final = 500
_FARTHEST: Final = timedelta(days=5 * 366)
_PARTS: Final = frozenset(
    {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYDAY", "BYHOUR",
     "BYMINUTE", "BYSETPOS"}
)  # fmt: skip


def zone_of(name: str) -> ZoneInfo:
    """The time zone of an IANA name; `InvalidError` when there is none of it."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise InvalidError("timezone_unknown", "an IANA name, such as Europe/Paris", "timezone") from error


def moment_of(text: str, timezone: str) -> int:
    """Milliseconds since 1970 of an RFC 3339 time; without an offset it is the wall clock of `timezone`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidError(
            "time_invalid", "a time such as 2026-11-23T09:00 or 2026-11-23T08:00:00Z", "start_at"
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone_of(timezone))
    return round(moment.timestamp() * 1000)


def occurrence_after(rule: str, start_ms: int, timezone: str, after_ms: int) -> int | None:
    """The first occurrence later than `after_ms`, in milliseconds; None when there is none within five years.

    `start_ms` is the first occurrence of all. Raises `InvalidError` for a rule that cannot be read.
    """
    zone = zone_of(timezone)
    start = datetime.fromtimestamp(start_ms / 1000, zone).replace(tzinfo=None)
    after = datetime.fromtimestamp(after_ms / 1000, zone).replace(tzinfo=None)
    read = _rule_of(rule, start, after, zone)
    found = read.after(after)
    while found is not None:
        found_ms = round(found.replace(tzinfo=zone).timestamp() * 1000)
        if found_ms > after_ms:
            return found_ms
        found = read.after(found)  # the wall clock was put back past it: that one has been
    return None


def _rule_of(rule: str, start: datetime, after: datetime, zone: ZoneInfo) -> rrule:
    """Bounded in time, or a rule that nothing fits would be searched to the end of the calendar."""
    parts = dict(part.partition("=")[::2] for part in rule.upper().removeprefix("RRULE:").split(";") if part)
    if len(rule) > _LONGEST or not _PARTS.issuperset(parts) or parts.get("FREQ") not in _FREQUENCIES:
        raise _unreadable()
    bound = max(start, after) + _FARTHEST
    try:
        until = _until(parts.pop("UNTIL", None), zone) or bound
        read = rrulestr(";".join(f"{name}={value}" for name, value in parts.items()), dtstart=start)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # COUNT and an end: our bound is none of the rule's
            return read.replace(until=min(until, bound))  # type: ignore[union-attr]
    except (ValueError, TypeError, OverflowError, AttributeError) as error:
        raise _unreadable() from error


def _until(text: str | None, zone: ZoneInfo) -> datetime | None:
    """On the wall clock. A day alone is meant whole."""
    if text is None:
        return None
    if len(text) == len("20261231"):
        return datetime.strptime(text + "T235959", "%Y%m%dT%H%M%S")  # noqa: DTZ007  the wall's
    moment = datetime.strptime(text.removesuffix("Z"), "%Y%m%dT%H%M%S")  # noqa: DTZ007
    if not text.endswith("Z"):
        return moment
    return moment.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)


def _unreadable() -> InvalidError:
    names = ", ".join(sorted(_FREQUENCIES))
    return InvalidError("rrule_invalid", f"an RRULE of RFC 5545 with FREQ of {names}", "rrule")
