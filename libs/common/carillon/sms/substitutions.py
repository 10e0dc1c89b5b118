"""Characters that force UCS-2, and what can stand for them in GSM.

Each replacement says whether meaning is kept: a curly apostrophe loses nothing, `pêcheur` without its
accent reads as `pecheur`. A person can take either back; nothing here is applied unasked.
"""

import unicodedata
from functools import lru_cache
from typing import Final, NamedTuple

from carillon.sms.alphabet import is_gsm


class Substitution(NamedTuple):
    """What can replace a character. `meaning_kept`: the reader reads the same words."""

    instead: str
    meaning_kept: bool


# Same sign in another typographic dress. GSM has neither curly quotes nor long dashes.
_SAME: Final[dict[str, str]] = {
    "'": "’‘‚‛′ʼ`´‹›",
    '"': "“”„‟«»″",
    "-": "–—‐‑‒―−­",
    "...": "…",
    " ": "\u00a0\u202f\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u205f\u3000\t",
    "": "\u200b\u200c\u200d\u2060\ufeff\ufe0e\ufe0f",
    "\n": "\u2028\u2029\u0085\v",
    "oe": "œ",
    "OE": "Œ",
    "fi": "ﬁ",
    "fl": "ﬂ",
    "*": "•·∙●▪",
    "x": "×",
    "/": "÷⁄",
    "TM": "™",
    "(c)": "©",
    "(R)": "®",
    "1/2": "½",
    "1/4": "¼",
    "3/4": "¾",
    "->": "→",
    "<-": "←",
    "o": "º",
    "a": "ª",
    "Ω": "\u2126",
    "Δ": "\u2206",
    "Å": "\u212b",
    "u": "µμ",
}

# Letters that Unicode does not decompose into a plain one and a mark.
_CLOSE: Final[dict[str, str]] = {
    "l": "ł",
    "L": "Ł",
    "d": "đ",
    "D": "Đ",
    "h": "ħ",
    "H": "Ħ",
    "i": "ı",
    "t": "ŧ",
    "T": "Ŧ",
    "th": "þ",
    "Th": "Þ",
    "dh": "ð",
    "Dh": "Ð",
    "SS": "ẞ",
    "o": "°",
    "+/-": "±",
    "c": "¢",
    "%o": "‰",
    "<=": "≤",
    ">=": "≥",
    "!=": "≠",
}

_TABLE: Final[dict[str, Substitution]] = {
    **{sign: Substitution(instead, False) for instead, signs in _CLOSE.items() for sign in signs},
    **{sign: Substitution(instead, True) for instead, signs in _SAME.items() for sign in signs},
    "­": Substitution("", True),  # the soft hyphen, which shows only where a line breaks
}


@lru_cache(maxsize=4096)
def substitution(character: str) -> Substitution | None:
    """What can stand for one character that GSM lacks, or None: Chinese and emoji have nothing."""
    known = _TABLE.get(character)
    if known is not None:
        return known
    if unicodedata.combining(character):
        return Substitution("", False)
    decomposed = unicodedata.normalize("NFKD", character)
    if is_gsm(decomposed):  # full-width and other compatibility forms: the same character
        return Substitution(decomposed, True)
    bare = "".join(sign for sign in decomposed if not unicodedata.combining(sign))
    return Substitution(bare, False) if bare and is_gsm(bare) else None
