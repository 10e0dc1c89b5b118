"""A hash chain: each entry's hash covers its content and the hash of the entry before, so none can be changed,
removed from the middle or put in between without all that follow telling.

What a chain cannot tell by itself is that its end was cut off: whoever needs that keeps the last hash elsewhere.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

GENESIS = "0" * 64  # "the hash before" of a chain's first entry
# What an entry holds beside its content; everything else that is written with it stands outside the chain.
LINKS = ("sequence", "previous", "hash")

_canonical = msgspec.json.Encoder(order="sorted").encode


def entry_hash(sequence: int, previous: str, content: Mapping[str, Any]) -> str:
    """SHA-256, in hex, of sequence, hash before and content as JSON with sorted keys and no blanks."""
    return hashlib.sha256(_canonical({**content, "sequence": sequence, "previous": previous})).hexdigest()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found: `broken_at` is the sequence at which the chain first fails, None when it holds to its end."""

    entries: int
    head: str
    broken_at: int | None = None
    reason: str | None = None


class Verifier:
    """Reads a chain from its first entry on, one by one."""

    def __init__(self) -> None:
        self.verdict = Verdict(0, GENESIS)

    def take(self, sequence: int, previous: str, hash_: str, content: Mapping[str, Any]) -> bool:
        """The next entry; False once the chain is broken."""
        seen = self.verdict
        if seen.broken_at is not None:
            return False
        reason = None
        if sequence != seen.entries + 1:
            reason = "an entry is missing or out of place"
        elif previous != seen.head:
            reason = "it does not name the hash of the entry before"
        elif entry_hash(sequence, previous, content) != hash_:
            reason = "its content is not what was hashed"
        if reason is not None:
            self.verdict = Verdict(seen.entries, seen.head, seen.entries + 1, reason)
            return False
        self.verdict = Verdict(sequence, hash_)
        return True


def verify(entries: Iterable[Mapping[str, Any]], content: Iterable[str]) -> Verdict:
    """A whole chain; `content` names the fields that are hashed, beside sequence and previous."""
    fields = tuple(content)
    verifier = Verifier()
    for entry in entries:
        held = {field: entry.get(field) for field in fields}
        if not verifier.take(entry["sequence"], entry["previous"], entry["hash"], held):
            break
    return verifier.verdict
