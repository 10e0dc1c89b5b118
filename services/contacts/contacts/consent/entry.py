"""An entry of the consent log: what of it is in the chain, and what stands beside it and can be erased.

The chain holds keyed hashes of the number and of the evidence. So a number and its evidence can be taken away later
and the chain still holds; and while they are there, that they fit can be checked by whoever has the key.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from carillon.events.audience import OptOutSource
from carillon.runtime.chain import entry_hash
from carillon.runtime.number_hash import NumberHash
from contacts.suppressions.domain import What

# What is hashed, beside sequence and the hash before.
CONTENT: Final = ("account", "id", "number_hash", "what", "reason", "source", "evidence_hash", "at")


class Entry(Struct, frozen=True, kw_only=True):
    """Something that was said or done about a number. The same `id` again is the same entry. `at` in ms."""

    id: str
    account: str
    number: str | None
    number_hash: bytes
    what: What
    reason: str | None = None
    source: str
    evidence: str | None = None
    at: int


GIVEN_SOURCE: Final[OptOutSource] = "api"


def linked(entry: Entry, sequence: int, previous: str, numbers: NumberHash) -> dict[str, Any]:
    """The entry as it is kept, in its place in the chain."""
    content = {
        "account": entry.account,
        "id": entry.id,
        "number_hash": entry.number_hash.hex(),
        "what": entry.what,
        "reason": entry.reason,
        "source": entry.source,
        "evidence_hash": evidence_hash(entry.account, entry.id, entry.evidence, numbers),
        "at": entry.at,
    }
    links = {"sequence": sequence, "previous": previous, "hash": entry_hash(sequence, previous, content)}
    return {**links, **content, "number": entry.number, "evidence": entry.evidence}


def evidence_hash(account: str, entry_id: str, evidence: str | None, numbers: NumberHash) -> str | None:
    """Keyed, and different for each entry, so that what was erased can't be guessed."""
    return None if evidence is None else numbers.of(f"{account}/{entry_id}", evidence).hex()


def misfit(kept: Mapping[str, Any], numbers: NumberHash) -> str | None:
    """What stands beside the chain and is not what was hashed; None: all fits, or was erased."""
    account = kept["account"]
    number, evidence = kept.get("number"), kept.get("evidence")
    if number is not None and numbers.of(account, number).hex() != kept["number_hash"]:
        return "its number is not the one that was hashed"
    if evidence is not None and evidence_hash(account, kept["id"], evidence, numbers) != kept["evidence_hash"]:
        return "its evidence is not what was hashed"
    return None
