"""`receipt.sweeps`: how far each sweep has come, `{_id: "lost:acc_...", until: message id}`."""

from pymongo.errors import DuplicateKeyError

from carillon.mongo import Collection, Database


class SweepStore:
    """Marks only move forward by `advance`, and only from where they were read; `look_back` moves them back."""

    def __init__(self, database: Database) -> None:
        self._sweeps: Collection = database["sweeps"]

    async def until(self, name: str) -> int:
        """Everything with an id up to this was swept."""
        document = await self._sweeps.find_one({"_id": name})
        return document["until"] if document else 0

    async def advance(self, name: str, old: int, new: int) -> bool:
        """False when it was moved meanwhile: the same range is to be swept again."""
        try:
            result = await self._sweeps.update_one(
                {"_id": name, "until": old}, {"$set": {"until": new}}, upsert=old == 0
            )
        except DuplicateKeyError:
            return False
        return result.matched_count == 1 or result.upserted_id is not None

    async def look_back(self, name: str, until: int) -> None:
        """Sweep again what comes after this id."""
        await self._sweeps.update_one({"_id": name}, {"$min": {"until": until}})
