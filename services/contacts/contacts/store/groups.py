"""`contacts.groups`: `{_id, account, name, key, version, import, deleted, ...}`; its members are known by the contacts.

A group's name is unique in its account, in any case. A deleted one keeps its document, under a key that is nobody's,
until its members have left it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct
from pymongo.errors import DuplicateKeyError

from carillon.mongo import Collection, Database, Document, Index
from carillon.runtime.ids import new_id
from contacts.domain.folding import group_key

GROUP_INDEXES: Final = (
    Index(("account", "key"), unique=True),
    Index(("import",), where={"import": {"$type": "string"}}),
    Index(("deleted",), where={"deleted": True}),
)


class Group(Struct, frozen=True, kw_only=True):
    """A group. `import_` is the import that made it, None: it was made by hand."""

    id: str
    account: str
    name: str
    version: int = 1
    import_: str | None = None
    created_at: int
    changed_at: int


class GroupNameTakenError(Exception):
    """The account has a group of this name."""


class GroupStore:
    """Groups of all accounts; every query names the account."""

    def __init__(self, database: Database) -> None:
        self._groups: Collection = database["groups"]

    async def add(self, group: Group) -> Group:
        """Insert; one of the same id that is there already is returned as it is. GroupNameTakenError."""
        try:
            await self._groups.insert_one(_document(group))
        except DuplicateKeyError as error:
            there = await self.find(group.account, group.id)
            if there is None:
                raise GroupNameTakenError(group.name) from error
            return there
        return group

    async def ensure(self, account: str, names: Iterable[str], import_: str | None, now_ms: int) -> dict[str, str]:
        """Ids of groups by key, for names as they are written; those that are missing are made with that spelling."""
        spelled: dict[str, str] = {}
        for name in names:
            spelled.setdefault(group_key(name), name)
        found = await self.ids_of(account, spelled)
        while missing := {key: name for key, name in spelled.items() if key not in found}:
            for name in missing.values():
                group = Group(
                    id=new_id("grp"), account=account, name=" ".join(name.split()), import_=import_,
                    created_at=now_ms, changed_at=now_ms,
                )  # fmt: skip
                try:
                    await self._groups.insert_one(_document(group))
                except DuplicateKeyError:  # somebody made it just now
                    continue
            found |= await self.ids_of(account, missing)
        return found

    async def ids_of(self, account: str, keys: Iterable[str]) -> dict[str, str]:
        """Ids by key, of the groups that exist."""
        documents = self._groups.find({"account": account, "key": {"$in": list(keys)}}, {"key": 1})
        return {document["key"]: document["_id"] async for document in documents}

    async def rename(self, group: Group, *, expected: int) -> bool:
        """False when the version is no longer the expected one. GroupNameTakenError."""
        values = _document(group)
        wanted = {"_id": values.pop("_id"), "account": group.account, "version": expected, "deleted": False}
        try:
            return (await self._groups.update_one(wanted, {"$set": values})).matched_count == 1
        except DuplicateKeyError as error:
            raise GroupNameTakenError(group.name) from error

    async def delete(self, account: str, id_: str) -> bool:
        """It is gone for everybody, and its name is free; its members leave it later. False: there is none."""
        wanted = {"_id": id_, "account": account, "deleted": False}
        change = {"$set": {"deleted": True, "key": f"\x00{id_}"}}
        return (await self._groups.update_one(wanted, change)).matched_count == 1

    async def deleted(self, limit: int) -> list[tuple[str, str]]:
        """Account and id of groups whose members have to leave."""
        found = await self._groups.find({"deleted": True}).limit(limit).to_list(limit)
        return [(document["account"], document["_id"]) for document in found]

    async def forget(self, id_: str) -> None:
        """Nobody is in it any more."""
        await self._groups.delete_one({"_id": id_, "deleted": True})

    async def find(self, account: str, id_: str) -> Group | None:
        """The group of that id."""
        document = await self._groups.find_one({"_id": id_, "account": account, "deleted": False})
        return None if document is None else _group(document)

    async def by_ids(self, account: str, ids: Iterable[str]) -> dict[str, Group]:
        """Those that exist, by id."""
        wanted = {"_id": {"$in": list(ids)}, "account": account, "deleted": False}
        return {document["_id"]: _group(document) async for document in self._groups.find(wanted)}

    async def page(self, account: str, name: str | None, after: str, limit: int) -> list[Group]:
        """In the order of their names, those whose name begins so (in any case), after that key."""
        key: Document = {"$gt": after}
        if name:
            start = group_key(name)
            key = {"$gt": after, "$gte": start, "$lt": start + "\U0010ffff"}
        cursor = self._groups.find({"account": account, "key": key, "deleted": False}).sort("key", 1).limit(limit)
        return [_group(document) for document in await cursor.to_list(limit)]

    async def made_by(self, account: str, import_: str) -> list[Group]:
        """Groups that an import made."""
        wanted = {"import": import_, "account": account, "deleted": False}
        return [_group(document) async for document in self._groups.find(wanted).sort("_id", 1)]


def _document(group: Group) -> Document:
    return {
        "_id": group.id,
        "account": group.account,
        "name": group.name,
        "key": group_key(group.name),
        "version": group.version,
        "import": group.import_,
        "deleted": False,
        "created_at": group.created_at,
        "changed_at": group.changed_at,
    }


def _group(document: Mapping[str, Any]) -> Group:
    return Group(
        id=document["_id"],
        account=document["account"],
        name=document["name"],
        version=int(document["version"]),
        import_=document["import"],
        created_at=int(document["created_at"]),
        changed_at=int(document["changed_at"]),
    )
