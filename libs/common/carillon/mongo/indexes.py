"""Indexes are declared beside the store that needs them, and made at start (or by a Job before a rollout)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

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


@dataclass(frozen=True, slots=True)
class IndexProblem:
    """An index that is `missing`, that `differs` from its declaration, or that is `undeclared`."""

    collection: str
    index: str
    what: Literal["missing", "differs", "undeclared"]


async def compare_indexes(database: Database, indexes: Mapping[str, Sequence[Index]]) -> list[IndexProblem]:
    """What tells the database's indexes from those declared, over all its collections; empty: nothing does."""
    problems: list[IndexProblem] = []
    for collection in sorted({*indexes, *await database.list_collection_names()}):
        there = {name: _facts(found) for name, found in (await database[collection].index_information()).items()}
        wanted = {(model := index.model().document)["name"]: _facts(model) for index in indexes.get(collection, ())}
        for name, facts in wanted.items():
            if name not in there:
                problems.append(IndexProblem(collection, name, "missing"))
            elif there[name] != facts:
                problems.append(IndexProblem(collection, name, "differs"))
        extra = there.keys() - wanted.keys() - {"_id_"}
        problems.extend(IndexProblem(collection, name, "undeclared") for name in sorted(extra))
    return problems


def _facts(index: Mapping[str, Any]) -> tuple[Any, ...]:
    """What counts of an index, as it is declared and as the server tells of it."""
    key = index["key"]
    return (
        [(field, int(order)) for field, order in (key.items() if isinstance(key, Mapping) else key)],
        bool(index.get("unique")),
        dict(index.get("partialFilterExpression") or {}),
        index.get("expireAfterSeconds"),
    )
