"""Indexes are declared beside the store that needs them, and made at start (or by a Job before a rollout)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import ASCENDING, IndexModel

from carillon.mongo.client import Database


@dataclass(frozen=True, slots=True)
class Index:
    """`keys`: field names in order, `-name` for descending. `expire_after_s` makes MongoDB delete by a date field."""

    keys: tuple[str, ...]
    unique: bool = False
    where: Mapping[str, Any] | None = None
    expire_after_s: int | None = None

    def model(self) -> IndexModel:
        """As pymongo wants it."""
        options: dict[str, Any] = {"unique": self.unique}
        if self.where is not None:
            options["partialFilterExpression"] = dict(self.where)
        if self.expire_after_s is not None:
            options["expireAfterSeconds"] = self.expire_after_s
        return IndexModel([(key.lstrip("-"), -1 if key[0] == "-" else ASCENDING) for key in self.keys], **options)


async def ensure_indexes(database: Database, indexes: Mapping[str, Sequence[Index]]) -> None:
    """Make what is missing; several processes may do so at once."""
    for collection, wanted in indexes.items():
        if wanted:
            await database[collection].create_indexes([index.model() for index in wanted])
