"""The spending alarm: sudden traffic to a country that an account does not usually write to is held.

Each process counts what it sees. A country that comes over the account's `unusual_per_hour` is held at once here, and
by all processes as soon as accounts has heard of it; it stays so until somebody allows it.
"""

from typing import Final

from msgspec import Struct

from carillon.events.account import AccountChanged
from carillon.sms.numbers import country_of
from ingest.domain.rate import SlidingHour

_LEADING_DIGITS: Final = 7  # enough for the country, with few exceptions on small islands
_MOST_COUNTERS: Final = 50_000


class Held(Struct, frozen=True):
    """A country that came over the limit just now."""

    account: str
    country: str
    messages: int


class Alarm:
    """`refuses` is asked for every message of an account that has an `unusual_per_hour`."""

    def __init__(self) -> None:
        self._hours: dict[tuple[str, str], SlidingHour] = {}
        self._held: set[tuple[str, str]] = set()
        self._to_say: list[Held] = []

    def refuses(self, account: AccountChanged, number: str, now_s: float) -> str | None:
        """The country, when it is held; None: the message may pass."""
        country = _country(number[:_LEADING_DIGITS], number)
        key = account.id, country
        if country == account.country or country in account.usual_countries:
            if self._held:
                self._held.discard(key)
            return None
        if country in account.held_countries or key in self._held:
            return country
        hour = self._hours.get(key)
        if hour is None:
            if len(self._hours) >= _MOST_COUNTERS:
                self._hours.clear()  # the alarm forgets an hour; it must not fill the memory
            hour = self._hours[key] = SlidingHour(now_s)
        seen = hour.add(now_s)
        if seen <= account.unusual_per_hour:
            return None
        self._held.add(key)
        del self._hours[key]
        self._to_say.append(Held(account.id, country, seen))
        return country

    def take_to_say(self) -> list[Held]:
        """What was held since the last time."""
        said, self._to_say = self._to_say, []
        return said

    def put_back(self, held: list[Held]) -> None:
        """It could not be said."""
        self._to_say[:0] = held


_by_leading: dict[str, str] = {}


def _country(leading: str, number: str) -> str:
    known = _by_leading.get(leading)
    if known is None:
        if len(_by_leading) >= _MOST_COUNTERS:
            _by_leading.clear()
        known = _by_leading[leading] = country_of(number)
    return known
