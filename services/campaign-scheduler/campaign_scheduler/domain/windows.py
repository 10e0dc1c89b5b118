"""When a number may be written to. Profile `none` (alerts): always."""

from collections.abc import Mapping
from typing import Final, NamedTuple

PROFILES: Final = ("none",)


class Hints(NamedTuple):
    """What else is known of the recipient: the account's country (ISO 3166), and the contact's attributes."""

    country: str = ""
    attributes: Mapping[str, str] = {}


class Opening(NamedTuple):
    """The first moment, not before the one asked for, when it may be sent; `rule_id` says what deferred it."""

    at_ms: int
    rule_id: str | None = None


def next_open(profile: str, number: str, at_ms: int, *, hints: Hints) -> Opening:
    """The opening for `number` (digits) at or after `at_ms`; `ValueError` for an unknown profile."""
    if profile not in PROFILES:
        raise ValueError(f"profile is one of {', '.join(PROFILES)}")
    return Opening(at_ms)
