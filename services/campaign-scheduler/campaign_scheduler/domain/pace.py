"""How fast a campaign goes: pages of a size that its rate can bear, each said when the one before has had its time."""

from typing import Final

from carillon.events.base import MAX_RECORDS

_PAGE_S: Final = 10  # a page is at most this long at the campaign's rate
_MINUTE_MS: Final = 60_000


def page_size(rate_per_minute: int | None) -> int:
    """Recipients to ask for at once."""
    if rate_per_minute is None:
        return MAX_RECORDS
    return max(1, min(MAX_RECORDS, rate_per_minute * _PAGE_S // 60))


def next_say_ms(rate_per_minute: int | None, count: int, now_ms: int, due_ms: int) -> int:
    """When the next messages may be said, after `count` said now that were due at `due_ms`.

    A campaign that was late by a page's time at most catches up; what it missed while it was paused is not made up for.
    """
    if rate_per_minute is None:
        return 0
    began_ms = max(due_ms, now_ms - _PAGE_S * 1000)
    return began_ms + count * _MINUTE_MS // rate_per_minute
