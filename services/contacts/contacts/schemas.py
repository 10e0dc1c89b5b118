"""What the API takes. Every field is checked here; what depends on other things is checked where it is done."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from carillon.events.audience import Audience
from contacts.domain.contact import MAX_ATTRIBUTE, MAX_ATTRIBUTE_NAME, MAX_ATTRIBUTES, MAX_GROUPS, MAX_NAME
from contacts.domain.import_ import Kind
from contacts.reading.encoding import Encoding
from contacts.reading.entries import MAX_GROUP_NAME

MAX_MEMBERS = 500
MAX_TYPED = 10_000


def _one_line(value: str) -> str:
    if any(character < " " for character in value):
        raise ValueError("no control characters")
    return value


_Text = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_one_line)]
Number = Annotated[
    str, Field(max_length=30, description="international or of the account's country", examples=["+33 6 12 34 56 78"])
]
Name = Annotated[_Text, Field(max_length=MAX_NAME)]
GroupName = Annotated[_Text, Field(min_length=1, max_length=MAX_GROUP_NAME, examples=["Clients fidèles"])]
Language = Annotated[
    str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$", description="BCP 47", examples=["fr"])
]
AttributeName = Annotated[_Text, Field(min_length=1, max_length=MAX_ATTRIBUTE_NAME)]
AttributeValue = Annotated[_Text, Field(max_length=MAX_ATTRIBUTE)]
Attributes = Annotated[dict[AttributeName, AttributeValue], Field(max_length=MAX_ATTRIBUTES)]
GroupId = Annotated[str, Field(pattern="^grp_[0-9a-z]{1,40}$", examples=["grp_0123456789abcdefghjkmnpqrs"])]
ContactId = Annotated[str, Field(pattern="^ctc_[0-9a-z]{1,40}$", examples=["ctc_0123456789abcdefghjkmnpqrs"])]
GroupIds = Annotated[list[GroupId], Field(max_length=MAX_GROUPS)]


def _left_out() -> Any:
    """A field that may be left out of a PATCH, but not be null."""
    return Field(default_factory=lambda: None)


class _Body(BaseModel):
    # a misspelt field is an error, not a value that silently gets lost
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class NewContact(_Body):
    """`POST /v1/contacts`."""

    number: Number
    name: Name = ""
    language: Language | None = None
    attributes: Attributes = {}
    groups: GroupIds = []


class ContactPatch(_Body):
    """`PATCH /v1/contacts/{id}`: what is left out stays. `attributes` are merged: null takes one away."""

    number: Number = _left_out()
    name: Name = _left_out()
    language: Language | None = None
    attributes: dict[AttributeName, AttributeValue | None] = _left_out()
    groups: GroupIds = _left_out()


class GroupBody(_Body):
    """`POST /v1/groups` and `PATCH /v1/groups/{id}`."""

    name: GroupName


class Members(_Body):
    """Contacts by id, by number, or both."""

    contacts: Annotated[list[ContactId], Field(max_length=MAX_MEMBERS)] = []
    numbers: Annotated[list[Number], Field(max_length=MAX_MEMBERS)] = []


class AudienceBody(_Body):
    """Whom to write to: the union of what is named, less the members of `minus_groups`; a number is in it once."""

    everyone: Annotated[bool, Field(description="all contacts")] = False
    groups: GroupIds = []
    minus_groups: GroupIds = []
    numbers: Annotated[list[Number], Field(max_length=MAX_TYPED)] = []
    file: Annotated[str | None, Field(max_length=60, description="imp_... of an upload of kind audience")] = None
    attributes: Annotated[
        Attributes, Field(description="of everyone or of the groups, and alone of all: only those with these values")
    ] = {}

    def as_audience(self, numbers: list[str]) -> Audience:
        """With the numbers as they were read."""
        return Audience(**{**self.model_dump(), "numbers": numbers})


class AudienceQuestion(_Body):
    """`POST /v1/contacts/count`."""

    audience: AudienceBody


class SampleQuestion(AudienceQuestion):
    """`POST /v1/contacts/sample`."""

    size: Annotated[int, Field(ge=1, le=100)] = 10
    after: Annotated[str, Field(pattern="^[0-9]{0,15}$", description="the last number of the sample before")] = ""


class UploadOptions(_Body):
    """What comes with `POST /v1/imports`, as fields of the form or in the query."""

    kind: Annotated[Kind, Field(description="contacts, or the audience of a campaign")] = "contacts"
    dry_run: Annotated[bool, Field(description="only tell what would become of it")] = False
    group: Annotated[_Text, Field(max_length=MAX_GROUP_NAME, description="a group for all rows; made if need be")] = ""
    encoding: Annotated[Encoding | None, Field(description="recognised when it is left out")] = None
    separator: Annotated[Literal[";", ",", "\t"] | None, Field(description="recognised when it is left out")] = None
