"""What other rooms know of a person: asked for by number, and taken away on request."""

from carillon.mongo import Database, Document

_ATTRIBUTE_SEPARATOR = "\x1f"


class People:
    """Reads `contacts.contacts` and `contacts.groups`; every query names the account."""

    def __init__(self, database: Database) -> None:
        self._contacts = database["contacts"]
        self._groups = database["groups"]

    async def number_of(self, account: str, contact_id: str) -> str | None:
        """The number of a contact; None: there is no such contact in this account."""
        found = await self._contacts.find_one({"_id": contact_id, "account": account}, {"number": 1})
        return None if found is None else str(found["number"])

    async def known_of(self, account: str, number: str) -> tuple[Document | None, list[Document]]:
        """The contact with this number, and its groups as id and name."""
        contact = await self._contacts.find_one({"account": account, "number": number})
        if contact is None:
            return None, []
        groups = self._groups.find({"account": account, "_id": {"$in": contact.get("groups", [])}}, {"name": 1})
        shown = {name: contact.get(name) for name in ("name", "language", "created_at", "changed_at")}
        pairs = (each.split(_ATTRIBUTE_SEPARATOR, 1) for each in contact.get("attributes", []))
        attributes = {pair[0]: pair[-1] for pair in pairs}
        return {"id": contact["_id"], **shown, "attributes": attributes}, [
            {"id": group["_id"], "name": group["name"]} async for group in groups
        ]

    async def forget(self, account: str, number: str) -> None:
        """The contact is gone, with its name, attributes and groups."""
        await self._contacts.delete_one({"account": account, "number": number})
