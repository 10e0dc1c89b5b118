"""What the consent API takes and shows."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from carillon.mongo import Document
from carillon.runtime.clock import rfc3339


class NewConsent(BaseModel):
    """`POST /v1/consents`."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    number: Annotated[str, Field(max_length=40)]
    evidence: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000),
        Field(description="what was agreed to, when, where: the form's URL, the shop, the text shown"),
    ]


class ConsentView(BaseModel):
    """An entry. Number and evidence are null where they were erased, or where there was none."""

    sequence: int
    what: Annotated[str, Field(description="given, opted_out, opted_in, erased")]
    at: Annotated[str, Field(description="RFC 3339")]
    source: str
    reason: str | None
    number: str | None
    evidence: str | None
    hash: str

    @classmethod
    def of(cls, kept: Document) -> "ConsentView":
        """As it is shown."""
        return cls(
            sequence=kept["sequence"],
            what=kept["what"],
            at=rfc3339(kept["at"]),
            source=kept["source"],
            reason=kept["reason"],
            number=kept["number"],
            evidence=kept["evidence"],
            hash=kept["hash"],
        )


class VerdictView(BaseModel):
    """Whether the log holds. `head` is the hash of the last good entry, `broken_at` where it first fails."""

    valid: bool
    entries: int
    head: str
    broken_at: int | None = None
    reason: str | None = None


class Erased(BaseModel):
    """The person is erased."""

    erased: bool
    hash: Annotated[str, Field(description="what stays, to keep the number from being written to")]


class KnownOf(BaseModel):
    """Everything that is known of a number."""

    number: str
    contact: dict[str, Any] | None
    groups: list[dict[str, Any]]
    suppression: dict[str, Any] | None
    consents: list[ConsentView]
    bounces: dict[str, Any] | None
    texts: list[dict[str, Any]]
