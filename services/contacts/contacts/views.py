"""What the API shows."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, Field

from carillon.events.audience import Recipient
from carillon.runtime.clock import rfc3339
from contacts.audience.pages import Counted
from contacts.domain.contact import Contact
from contacts.domain.import_ import Format, Import, Kind, State
from contacts.store.groups import Group


class GroupRef(BaseModel):
    """A group that a contact is in."""

    id: str
    name: str


class ContactView(BaseModel):
    """A contact. `version` is its ETag too."""

    id: str
    number: Annotated[str, Field(description="international, digits only")]
    name: str
    language: str | None
    attributes: dict[str, str]
    groups: list[GroupRef]
    suppressed: Annotated[str | None, Field(description="why it must not be written to; null: it may")]
    version: int
    created_at: str
    changed_at: str

    @staticmethod
    def of(contact: Contact, groups: Mapping[str, Group], suppressed: str | None) -> "ContactView":
        """With the names of its groups; one that is being deleted is not shown."""
        return ContactView(
            id=contact.id,
            number=contact.number,
            name=contact.name,
            language=contact.language,
            attributes=contact.attributes,
            groups=[GroupRef(id=each, name=groups[each].name) for each in contact.groups if each in groups],
            suppressed=suppressed,
            version=contact.version,
            created_at=rfc3339(contact.created_at),
            changed_at=rfc3339(contact.changed_at),
        )


class GroupView(BaseModel):
    """A group and how many contacts are in it."""

    id: str
    name: str
    contacts: int
    version: int
    created_at: str
    changed_at: str

    @staticmethod
    def of(group: Group, contacts: int) -> "GroupView":
        """With its count, which is made when it is asked for."""
        return GroupView(
            id=group.id,
            name=group.name,
            contacts=contacts,
            version=group.version,
            created_at=rfc3339(group.created_at),
            changed_at=rfc3339(group.changed_at),
        )


class MembersChanged(BaseModel):
    """How many contacts joined or left; `unknown` are ids and numbers that are no contact."""

    changed: int
    unknown: list[str]


class CountView(BaseModel):
    """`by_country` holds the recipients that may be written to, the most frequent country first; "" is unknown."""

    recipients: int
    suppressed: int
    by_country: dict[str, int]

    @staticmethod
    def of(counted: Counted) -> "CountView":
        """As it was counted."""
        return CountView(recipients=counted.recipients, suppressed=counted.suppressed, by_country=counted.by_country)


class RecipientView(BaseModel):
    """One recipient, as a campaign would see it."""

    number: str
    contact: str | None
    name: str
    language: str | None
    attributes: dict[str, str]
    suppressed: str | None

    @staticmethod
    def of(recipient: Recipient) -> "RecipientView":
        """As a page would say it."""
        return RecipientView(**{name: getattr(recipient, name) for name in RecipientView.model_fields})


class SampleView(BaseModel):
    """The next recipients in the order of their numbers."""

    recipients: list[RecipientView]
    last: Annotated[bool, Field(description="no recipient comes after these")]


class CountsView(BaseModel):
    """Rows by what became of them: created + updated + unchanged + refused = rows."""

    rows: int
    created: int
    updated: int
    unchanged: int
    refused: int
    noted: Annotated[int, Field(description="taken, with a note in the report")]


class PreviewView(BaseModel):
    """One of the first rows as it was understood."""

    line: int
    number: str
    name: str
    group: str
    language: str | None
    attributes: dict[str, str]
    problem: str | None


class UndoneView(BaseModel):
    """What the undo did; `kept` were changed since and are left as they are."""

    removed: int
    restored: int
    kept: int
    groups_removed: int


class ImportView(BaseModel):
    """An import and how far it is. `progress` is the share of the file that is read, from 0 to 1."""

    id: str
    kind: Kind
    dry_run: bool
    state: State
    problem: str | None
    file_name: str
    group: str
    format: Format
    encoding: str
    separator: str | None
    header: Annotated[bool | None, Field(description="whether the first row names the columns; null: not known yet")]
    columns: Annotated[dict[str, str], Field(description="what each column was taken for, from 1")]
    size_bytes: int
    progress: float
    counts: CountsView
    groups_created: list[GroupRef]
    preview: list[PreviewView]
    undone: UndoneView | None
    created_at: str
    started_at: str | None
    ended_at: str | None

    @staticmethod
    def of(import_: Import, groups: list[Group]) -> "ImportView":
        """With the groups that it made."""
        return ImportView(
            id=import_.id,
            kind=import_.kind,
            dry_run=import_.dry_run,
            state=import_.state,
            problem=import_.problem,
            file_name=import_.file_name,
            group=import_.group,
            format=import_.format,
            encoding=import_.encoding,
            separator=import_.separator,
            header=import_.columns.has_header if import_.columns else None,
            columns=import_.columns.names() if import_.columns else {},
            size_bytes=import_.size_bytes,
            progress=_progress(import_),
            counts=CountsView.model_validate(import_.counts, from_attributes=True),
            groups_created=[GroupRef(id=group.id, name=group.name) for group in groups],
            preview=[PreviewView.model_validate(row, from_attributes=True) for row in import_.preview],
            undone=UndoneView.model_validate(import_.undone, from_attributes=True) if import_.undone else None,
            created_at=rfc3339(import_.created_at),
            started_at=rfc3339(import_.started_at) if import_.started_at else None,
            ended_at=rfc3339(import_.ended_at) if import_.ended_at else None,
        )


def _progress(import_: Import) -> float:
    if import_.state in ("finished", "undoing", "undone"):
        return 1.0
    return round(import_.offset / import_.part_bytes, 3) if import_.part_bytes and import_.batches else 0.0
