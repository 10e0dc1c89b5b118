"""What the API takes. What depends on the account or on two fields together is checked in domain/."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from campaign_scheduler.domain.campaign import ContentClass

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Text = Annotated[str, Field(min_length=1, max_length=39_015, description="placeholders: {name|client}; {{ is a brace")]
Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", description="BCP 47")]
NumberText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]
Rate = Annotated[int, Field(ge=1, le=1_000_000, description="messages a minute at most; null: no limit of its own")]
Validity = Annotated[int, Field(ge=60, le=7 * 86_400, description="seconds; not submitted later than that")]
Variables = Annotated[dict[str, str], Field(max_length=100)]


def _left_out() -> Any:
    """A field that may be left out of a PATCH, but not be null."""
    return Field(default_factory=lambda: None)


class _Body(BaseModel):
    # a misspelt field is an error, not a setting that silently does nothing
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class NewTemplate(_Body):
    """`POST /v1/templates`: `content` for one language, or `contents` by language."""

    name: Name
    content: Text | None = None
    contents: Annotated[dict[Language, Text], Field(max_length=50)] | None = None
    language: Annotated[Language, Field(description="for those who speak none of the others")] = "fr"


class TemplatePatch(_Body):
    """`PATCH /v1/templates/{id}`: what is left out stays as it is."""

    name: Name = _left_out()
    content: Text = _left_out()
    contents: Annotated[dict[Language, Text], Field(max_length=50)] = _left_out()
    language: Language = _left_out()


class PreviewRequest(_Body):
    """For a contact by its number, or for values."""

    number: Annotated[NumberText | None, Field(description="of a contact: its name, language and attributes")] = None
    variables: Annotated[Variables, Field(description="values by name")] = {}
    language: Language | None = None


class AudienceFields(_Body):
    """Whom to write to: the union of what is named, less `minus_groups`; a number is in it once."""

    everyone: bool = False
    groups: Annotated[list[str], Field(max_length=200, description="grp_...")] = []
    minus_groups: Annotated[list[str], Field(max_length=200, description="grp_...")] = []
    numbers: Annotated[list[NumberText], Field(max_length=10_000)] = []
    file: Annotated[str | None, Field(max_length=64, description="imp_... of an uploaded file")] = None
    attributes: Annotated[dict[str, str], Field(max_length=20, description="only contacts with these values")] = {}


class NewCampaign(_Body):
    """`POST /v1/campaigns`: exactly one of `text` and `template`. It is a draft until `:start`."""

    name: Name
    text: Text | None = None
    template: Annotated[str | None, Field(max_length=100, description="id or name")] = None
    sender: Annotated[str | None, Field(max_length=20, description="default: the account's")] = None
    audience: AudienceFields
    start_at: Annotated[
        str | None, Field(max_length=40, description="RFC 3339; without an offset, of `timezone`; null: at once")
    ] = None
    timezone: Annotated[str, Field(max_length=64, description="IANA name")] = "UTC"
    rrule: Annotated[str | None, Field(max_length=500, description="RFC 5545; the first time is start_at")] = None
    rate_per_minute: Rate | None = None
    validity_s: Validity | None = None
    profile: Annotated[str, Field(max_length=64, description="legal windows; `none`: at any time")] = "none"
    alsace_moselle: Annotated[bool, Field(description="its two extra holidays count for all French numbers")] = False
    content_class: Annotated[
        ContentClass, Field(description="marketing texts get the STOP mention; default: by the profile")
    ] = _left_out()


class CampaignPatch(_Body):
    """`PATCH /v1/campaigns/{id}`: what is left out stays. Once it is no draft, only name and rate may change."""

    name: Name = _left_out()
    text: Text = _left_out()
    template: Annotated[str, Field(max_length=100)] = _left_out()
    sender: Annotated[str | None, Field(max_length=20)] = None
    audience: AudienceFields = _left_out()
    start_at: Annotated[str | None, Field(max_length=40)] = None
    timezone: Annotated[str, Field(max_length=64)] = _left_out()
    rrule: Annotated[str | None, Field(max_length=500)] = None
    rate_per_minute: Rate | None = None
    validity_s: Validity | None = None
    profile: Annotated[str, Field(max_length=64)] = _left_out()
    alsace_moselle: bool = _left_out()
    content_class: ContentClass = _left_out()


class TestSend(_Body):
    """`POST /v1/campaigns/{id}:test`: the text, with these values, to one's own numbers."""

    to: Annotated[list[NumberText], Field(min_length=1, max_length=10)]
    variables: Variables = {}
    language: Language | None = None
