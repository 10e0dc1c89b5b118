"""`campaign_scheduler.templates`: `{_id: tpl_..., account, name, name_key, contents, language, version, ...}`."""

import msgspec
from pymongo.errors import DuplicateKeyError

from campaign_scheduler.domain.errors import ConflictError
from campaign_scheduler.domain.template import Template
from carillon.mongo import Collection, Database, Document, Index

TEMPLATE_INDEXES = (Index(("account", "name_key"), unique=True), Index(("account", "_id")))


class TemplateStore:
    """A name is an account's once, in any case. Every query names the account."""

    def __init__(self, database: Database) -> None:
        self._templates: Collection = database["templates"]

    async def add(self, template: Template) -> None:
        """`ConflictError` when the name is taken."""
        try:
            await self._templates.insert_one(_document(template))
        except DuplicateKeyError as error:
            raise _taken() from error

    async def replace(self, template: Template, *, expected: int) -> bool:
        """False when the version is no longer the expected one."""
        try:
            result = await self._templates.replace_one(
                {"_id": template.id, "account": template.account, "version": expected}, _document(template)
            )
        except DuplicateKeyError as error:
            raise _taken() from error
        return result.matched_count == 1

    async def remove(self, account: str, template_id: str) -> bool:
        """False when there is none."""
        return (await self._templates.delete_one({"_id": template_id, "account": account})).deleted_count == 1

    async def find(self, account: str, id_or_name: str) -> Template | None:
        """By id, or by name in any case."""
        query = {"account": account, "$or": [{"_id": id_or_name}, {"name_key": id_or_name.casefold()}]}
        return _template(await self._templates.find_one(query))

    async def page(self, account: str, after: str | None, limit: int) -> list[Template]:
        """Oldest first."""
        query: Document = {"account": account, **({"_id": {"$gt": after}} if after else {})}
        found = await self._templates.find(query).sort("_id", 1).limit(limit).to_list(limit)
        return [template for template in map(_template, found) if template is not None]


def _taken() -> ConflictError:
    return ConflictError("name_taken", "another template has this name", "name")


def _document(template: Template) -> Document:
    values: Document = msgspec.to_builtins(template)
    # by pairs: a language may hold what a field name of MongoDB may not
    values["contents"] = [list(pair) for pair in template.contents.items()]
    return {"_id": values.pop("id"), **values, "name_key": template.name.casefold()}


def _template(document: Document | None) -> Template | None:
    if document is None:
        return None
    return msgspec.convert({**document, "id": document["_id"], "contents": dict(document["contents"])}, Template)
