"""When a marketing SMS may leave: France 2026-2027 with its clock changes, overseas, and everybody else."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaign_scheduler.domain.legal import PROFILES, next_open
from campaign_scheduler.domain.legal.table import closed_days

PARIS, REUNION, MAYOTTE = "33612345678", "262692123456", "262639123456"
DOCUMENT = Path(__file__).parents[3] / "docs" / "legal-windows.md"
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def at(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)


@pytest.mark.parametrize(
    ("profile", "number", "asked", "opens", "rule"),
    [
        ("fr-marketing", PARIS, "2026-11-20T12:00+01:00", None, None),
        ("fr-marketing", PARIS, "2026-11-20T08:00+01:00", None, None),
        ("fr-marketing", PARIS, "2026-11-20T07:59+01:00", "2026-11-20T08:00+01:00", "hours"),
        ("fr-marketing", PARIS, "2026-11-20T19:59:59+01:00", None, None),
        ("fr-marketing", PARIS, "2026-11-20T20:00+01:00", "2026-11-21T08:00+01:00", "hours"),
        ("fr-marketing", PARIS, "2026-11-21T20:30+01:00", "2026-11-23T08:00+01:00", "hours"),
        ("fr-marketing", PARIS, "2026-11-22T12:00+01:00", "2026-11-23T08:00+01:00", "weekday"),
        ("fr-carrier-max", PARIS, "2026-11-20T21:59+01:00", None, None),
        ("fr-carrier-max", PARIS, "2026-11-20T22:00+01:00", "2026-11-21T08:00+01:00", "hours"),
        ("fr-strict", PARIS, "2026-11-20T13:00+01:00", "2026-11-20T14:00+01:00", "hours"),
        ("fr-strict", PARIS, "2026-11-20T20:00+01:00", "2026-11-23T10:00+01:00", "hours"),
        ("none", PARIS, "2026-12-25T03:00+01:00", None, None),
        # public holidays, one beside a Sunday
        ("fr-marketing", PARIS, "2026-07-14T10:00+02:00", "2026-07-15T08:00+02:00", "holiday 2026-07-14"),
        ("fr-marketing", PARIS, "2027-05-01T10:00+02:00", "2027-05-03T08:00+02:00", "holiday 2027-05-01"),
        ("fr-marketing", PARIS, "2026-12-31T21:00+01:00", "2027-01-02T08:00+01:00", "hours"),
        # the clocks change in the night before a Monday's opening
        ("fr-marketing", PARIS, "2026-03-28T21:00+01:00", "2026-03-30T08:00+02:00", "hours"),
        ("fr-marketing", PARIS, "2026-10-24T21:00+02:00", "2026-10-26T08:00+01:00", "hours"),
        ("fr-marketing", PARIS, "2027-03-27T21:00+01:00", "2027-03-30T08:00+02:00", "hours"),  # Easter Monday
        ("fr-marketing", PARIS, "2027-10-30T21:00+02:00", "2027-11-02T08:00+01:00", "hours"),  # All Saints
        # +262: both islands' clocks and both islands' holidays
        ("fr-marketing", REUNION, "2026-11-20T08:30+04:00", "2026-11-20T08:00+03:00", "hours"),
        ("fr-marketing", MAYOTTE, "2026-11-20T19:30+03:00", "2026-11-21T08:00+03:00", "hours"),
        ("fr-marketing", REUNION, "2026-04-27T12:00+04:00", "2026-04-28T08:00+03:00", "holiday 2026-04-27"),
        ("fr-marketing", MAYOTTE, "2027-12-20T12:00+03:00", "2027-12-21T08:00+03:00", "holiday 2027-12-20"),
        # in their own clocks
        ("fr-marketing", "590690123456", "2026-11-20T09:00+01:00", "2026-11-20T08:00-04:00", "hours"),
        ("fr-marketing", "12125550123", "2026-11-20T07:00-05:00", "2026-11-20T08:00-05:00", "hours"),
        ("fr-marketing", "12125550123", "2026-07-04T10:00-04:00", "2026-07-06T08:00-04:00", "holiday 2026-07-04"),
        ("fr-marketing", "14165550123", "2026-07-01T10:00-04:00", "2026-07-02T08:00-04:00", "holiday 2026-07-01"),
        ("fr-strict", "4915112345678", "2026-11-21T10:00+01:00", None, None),
    ],
)
def test_window(profile: str, number: str, asked: str, opens: str | None, rule: str | None) -> None:
    opening = next_open(profile, number, at(asked))
    assert opening.at_ms == at(opens or asked)
    in_force = profile if number[:3] in {"336", "262", "590"} else "default"
    assert opening.rule == (rule and f"{in_force}@1:{rule}")


def test_alsace_moselle_counts_when_somebody_says_so() -> None:
    good_friday = at("2027-03-26T10:00+01:00")
    assert next_open("fr-marketing", PARIS, good_friday).rule is None
    told = next_open("fr-marketing", PARIS, good_friday, alsace_moselle=True)
    assert told.rule == "fr-marketing@1:holiday 2027-03-26"
    second_christmas_day = at("2026-12-26T10:00+01:00")
    assert next_open("fr-marketing", PARIS, second_christmas_day).rule is None
    told = next_open("fr-marketing", PARIS, second_christmas_day, alsace_moselle=True)
    assert told.at_ms == at("2026-12-28T08:00+01:00")


def test_an_unknown_profile_is_an_error() -> None:
    with pytest.raises(KeyError):
        next_open("fr-anything", PARIS, 0)


@settings(max_examples=300)
@given(
    st.sampled_from(sorted(PROFILES)),
    st.sampled_from([PARIS, REUNION, "590690123456", "689871234567", "12125550123", "61412345678", "88212345678"]),
    MOMENTS,
)
def test_what_opens_is_open_and_no_earlier_than_asked(profile: str, number: str, moment: datetime) -> None:
    asked = int(moment.timestamp() * 1000)
    opening = next_open(profile, number, asked)
    assert asked <= opening.at_ms < asked + timedelta(days=12) // timedelta(milliseconds=1)
    assert next_open(profile, number, opening.at_ms).rule is None
    if opening.rule is not None:  # the minute before was closed
        assert next_open(profile, number, opening.at_ms - 60_000).rule is not None


@given(MOMENTS)
def test_nobody_in_france_is_written_to_at_night_or_on_a_sunday(moment: datetime) -> None:
    opening = next_open("fr-marketing", PARIS, int(moment.timestamp() * 1000))
    local = datetime.fromtimestamp(opening.at_ms / 1000, ZoneInfo("Europe/Paris"))
    assert 8 <= local.hour < 20
    assert local.weekday() < 6


def test_the_document_shows_the_calendar_in_force() -> None:
    assert closed_days(2026, 2027) in DOCUMENT.read_text(encoding="utf-8")
