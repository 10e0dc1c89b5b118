"""The four words of the legacy receipt door for the platform's status words."""

from typing import Final, Literal

LegacyWord = Literal["operator", "handset", "not delivered", "lost notification"]

_WORDS: Final[dict[str, LegacyWord]] = {
    "submitted": "operator",
    "delivered": "handset",
    "undelivered": "not delivered",
    "refused": "not delivered",
    "suppressed": "not delivered",
    "cancelled": "not delivered",
    "lost": "lost notification",
}


def legacy_word(status: str) -> LegacyWord | None:
    """The word of a legacy callback; None where there is none (accepted, scheduled, routed, ambiguous)."""
    return _WORDS.get(status)
