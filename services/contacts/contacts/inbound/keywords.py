"""What a text from a handset wants: STOP or START as the whole text, in any case, with accents and marks forgiven.

English words: 47 CFR 64.1200(a)(10) names stop, quit, end, revoke, opt out, cancel and unsubscribe. The others are the
usual ones of their countries.
"""

import re
import unicodedata
from typing import Final, Literal

Wish = Literal["stop", "start", "unclear"]

_STOP: Final = frozenset(
    {
        "stop", "stopall", "unsubscribe", "cancel", "end", "quit", "optout", "revoke", "arret", "arreter", "desabo",
        "desabonner", "desabonnement", "desinscrire", "desinscription", "resilier", "stopp", "abmelden", "baja", "alto",
        "parar", "sair", "cancella", "disiscrivimi", "afmelden", "\u0441\u0442\u043e\u043f",
    }
)  # fmt: skip
_START: Final = frozenset({"start", "unstop", "optin", "subscribe", "reabonner", "reabonnement"})
# Beside a word of the above they change nothing.
_FILLERS: Final = frozenset(
    {"all", "sms", "pub", "svp", "merci", "please", "thanks", "messages", "bitte", "por", "favor"}
)
# In a longer text these need not be meant as a wish: nobody has to look at "the end".
_COMMON: Final = frozenset({"cancel", "end", "quit", "revoke", "alto", "parar", "sair", "baja", "arreter"})
_LONGEST: Final = 40

_WITH_CODE: Final = re.compile(r"stop[0-9]+")  # STOP36111
_NO_LETTERS: Final = re.compile(r"[\W_]+")


def wish_of(text: str | None, *, is_part: bool = False) -> Wish | None:
    """What is wished; None: the text is about something else.

    "unclear" is what a person has to read: a STOP among other words, or in a part of a longer text (`is_part`).
    """
    words = _words(text or "")
    stops = [word for word in words if word in _STOP]
    if stops and not is_part and all(word in _STOP or word in _FILLERS for word in words) and len(words) <= _LONGEST:
        return "stop"
    if words and not is_part and all(word in _START for word in words):
        return "start"
    if any(word not in _COMMON for word in stops) or any(_WITH_CODE.fullmatch(word) for word in words):
        return "unclear"
    return None


def _words(text: str) -> list[str]:
    """Folded: no case, no accents, no marks; letters that stand alone are one word (S.T.O.P)."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(char for char in folded if not unicodedata.combining(char))
    words = [word for word in _NO_LETTERS.split(plain) if word]
    if len(words) > 1 and all(len(word) == 1 for word in words):
        return ["".join(words)]
    joined = {("opt", "out"): "optout", ("opt", "in"): "optin", ("stop", "all"): "stopall"}
    return [joined[pair]] if (pair := tuple(words)) in joined else words
