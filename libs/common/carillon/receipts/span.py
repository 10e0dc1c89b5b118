"""Which part of the stream is wanted: from where, and up to where."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from carillon.bus.stream import Offset
from carillon.runtime.clock import rfc3339

# An event's time is its writer's, the place where the broker begins is by its own clock: they may differ this much.
_SKEW = timedelta(seconds=60)
_EPOCH = datetime.fromtimestamp(0, UTC)
_MILLISECOND = timedelta(milliseconds=1)


def parse_offset(text: str) -> Offset:
    """`first`, `last`, `next`, the number of an entry, or an RFC 3339 time with its offset; `ValueError`."""
    if text in ("first", "last", "next"):
        return text  # type: ignore[return-value]
    if text.isdecimal() and text.isascii() and len(text) < 19:
        return int(text)
    return parse_moment(text)


def parse_moment(text: str) -> datetime:
    """An RFC 3339 time with its offset; `ValueError` when it is none."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs its offset, such as Z or +02:00")
    return moment


@dataclass(frozen=True, slots=True)
class Span:
    """From `begin`, of events written `since` a time and before `until`, up to the entry `last`; None: no bound."""

    begin: Offset
    since: datetime | None = None
    until: datetime | None = None
    last: int | None = None

    @classmethod
    def starting(cls, begin: Offset, until: datetime | None = None, last: int | None = None) -> "Span":
        """As a person asks for it: a `begin` that is a time means events written since then."""
        if isinstance(begin, datetime):
            return cls(begin - _SKEW, begin, until, last)
        return cls(begin, None, until, last)

    def up_to(self, last: int | None) -> "Span | None":
        """It ends with this entry, the stream's last; None when nothing of it is there (or the stream is empty)."""
        if last is None or self.begin == "next" or (isinstance(self.begin, int) and self.begin > last):
            return None
        return replace(self, last=last)

    def after(self, offset: int) -> "Span":
        """What is left of it once this entry was read."""
        return replace(self, begin=offset + 1)

    def holds(self, event_time: str) -> bool:
        """Whether an event of this time belongs to it."""
        if self.since is not None and event_time < _text(self.since):
            return False
        return self.until is None or event_time < _text(self.until)

    def is_over(self, offset: int, event_time: str) -> bool:
        """Whether nothing that comes after this entry can belong to it."""
        if self.last is not None and offset >= self.last:
            return True
        return self.until is not None and event_time >= _text(self.until + _SKEW)


def _text(moment: datetime) -> str:
    """As events write it, to the millisecond, rounded up: texts of one form compare as the moments do."""
    return rfc3339(-((_EPOCH - moment) // _MILLISECOND))
