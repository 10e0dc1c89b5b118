"""A contact, and what is said of one: by a row of a file or by a request."""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

MAX_NAME: Final = 200
MAX_ATTRIBUTES: Final = 50
MAX_ATTRIBUTE_NAME: Final = 64
MAX_ATTRIBUTE: Final = 500
MAX_GROUPS: Final = 200


class Contact(Struct, frozen=True, kw_only=True):
    """Somebody with a number. `version` rises with each change.

    `stamp` names the batch of an import that wrote the contact last; None: somebody changed it by hand since.
    """

    id: str
    account: str
    number: str
    name: str = ""
    language: str | None = None
    attributes: dict[str, str] = {}
    groups: tuple[str, ...] = ()
    version: int = 1
    stamp: str | None = None
    created_at: int
    changed_at: int


class Said(Struct, frozen=True, gc=False):
    """What a file says of a number. Empty values say nothing: they take nothing away. `groups` are ids."""

    number: str
    name: str = ""
    language: str | None = None
    attributes: dict[str, str] = {}
    groups: tuple[str, ...] = ()


def taught(contact: Contact, said: Said) -> Contact:
    """The contact with what was said of it; the same object when that is nothing new."""
    name = said.name or contact.name
    language = said.language or contact.language
    groups = contact.groups
    if said.groups and not set(said.groups) <= set(groups):
        groups = (*groups, *(group for group in said.groups if group not in groups))
    attributes = contact.attributes
    if said.attributes:
        attributes = {**attributes, **said.attributes}
        if attributes == contact.attributes:
            attributes = contact.attributes
    if (name, language, groups) == (contact.name, contact.language, contact.groups) and (
        attributes is contact.attributes
    ):
        return contact
    return replace(contact, name=name, language=language, attributes=attributes, groups=groups)


def together(first: Said, second: Said) -> Said:
    """Two rows on one number, as one: the later one's name, language and attributes win, groups add up."""
    return Said(
        first.number,
        second.name or first.name,
        second.language or first.language,
        {**first.attributes, **second.attributes} if second.attributes else first.attributes,
        (*first.groups, *(group for group in second.groups if group not in first.groups)),
    )
