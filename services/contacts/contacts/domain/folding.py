"""How names are compared: words for searching are folded hard, names of groups only in case."""

import re
import unicodedata
from typing import Final

MAX_WORDS: Final = 10
MAX_WORD: Final = 30

_WORD: Final = re.compile(r"[^\W_]+")
_LIGATURES: Final = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})


def fold(text: str) -> str:
    """Without case and accents: `Éloïse Cœur` becomes `eloise coeur`."""
    if text.isascii():
        return text.lower()
    bare = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in bare if not unicodedata.combining(character)).translate(_LIGATURES)


def words_of(text: str) -> list[str]:
    """The folded words of a text by which it is found, each once."""
    if not text:
        return []
    found = dict.fromkeys(word[:MAX_WORD] for word in _WORD.findall(fold(text)))
    return list(found)[:MAX_WORDS]


def group_key(name: str) -> str:
    """What two spellings of one group's name have in common: everything but case and runs of blanks."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())
