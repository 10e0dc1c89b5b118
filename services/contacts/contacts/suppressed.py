"""Why numbers must not be written to: the one question that the other rooms ask of suppressions."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from carillon.mongo import Database
from carillon.runtime.number_hash import NumberHash

# Reasons by number, of those numbers of an account that must not be written to.
Reasons = Callable[[str, Sequence[str]], Awaitable[dict[str, str]]]
ERASED: Final = "erased"


class Suppressed:
    """Reads `contacts.suppressions`, which is keyed by hashes: so it knows those too whose number was erased."""

    def __init__(self, database: Database, numbers: NumberHash) -> None:
        self._suppressions = database["suppressions"]
        self._hash = numbers.of

    async def reasons(self, account: str, numbers: Sequence[str]) -> dict[str, str]:
        """Why, by number (international digits); a number that may be written to is not in it."""
        by_hash = {self._hash(account, number): number for number in numbers}
        wanted = {"_id": {"$in": list(by_hash)}, "active": True}
        return {
            by_hash[bytes(document["_id"])]: document["reason"]
            async for document in self._suppressions.find(wanted, {"reason": 1})
        }
