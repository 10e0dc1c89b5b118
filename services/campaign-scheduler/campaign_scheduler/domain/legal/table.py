"""The French calendar as a table that a lawyer can read: generated, so that it says what the code does."""

from datetime import date, timedelta

from campaign_scheduler.domain.legal.public_holidays import CALENDAR_VERSION, is_holiday

_COLUMNS = (
    ("France", ("FR", None)),
    ("Alsace-Moselle", ("FR", "6AE")),
    ("La Réunion", ("FR", "974")),
    ("Mayotte", ("FR", "976")),
)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def closed_days(first_year: int, last_year: int) -> str:
    """Markdown: each public holiday that is one in at least one of the columns."""
    heads = ["day", "weekday", *(name for name, _ in _COLUMNS)]
    lines = [f"Calendar: {CALENDAR_VERSION}", "", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    day = date(first_year, 1, 1)
    while day.year <= last_year:
        marks = ["closed" if is_holiday(day, (calendar,)) else "" for _, calendar in _COLUMNS]
        if any(marks):
            lines.append(f"| {day.isoformat()} | {_WEEKDAYS[day.weekday()]} | {' | '.join(marks)} |")
        day += timedelta(days=1)
    return "\n".join(lines) + "\n"
