"""What the suppressions API takes and shows."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from carillon.mongo import Document
from carillon.runtime.clock import rfc3339
from contacts.suppressions.domain import Reason, Suppression

MAX_NUMBERS = 1_000
Evidence = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1_000)]
Numbers = Annotated[list[Annotated[str, Field(max_length=40)]], Field(min_length=1, max_length=MAX_NUMBERS)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class NewSuppressions(_Body):
    """`POST /v1/suppressions`."""

    numbers: Annotated[Numbers, Field(description="international, or national of the account's country")]
    evidence: Annotated[Evidence, Field(description="why, for the consent log: who asked, when, where")] = ""


class NumbersToCheck(_Body):
    """`POST /v1/suppressions/check`."""

    numbers: Numbers


class Decided(_Body):
    """`POST /v1/suppressions/reviews/{id}`."""

    decision: Literal["stop", "ignore"]


class SuppressionView(BaseModel):
    """One suppression. `number` is null where it was erased."""

    id: Annotated[str, Field(description="keyed hash of the number in this account")]
    number: str | None
    reason: Reason
    since: Annotated[str, Field(description="RFC 3339")]

    @classmethod
    def of(cls, suppression: Suppression) -> "SuppressionView":
        """As it is shown."""
        assert suppression.reason is not None
        return cls(
            id=suppression.hash.hex(),
            number=suppression.number,
            reason=suppression.reason,
            since=rfc3339(suppression.changed_at),
        )


class RefusedRow(BaseModel):
    """A number that could not be read: its place from 0 in a request, its line from 1 in a file."""

    at: int
    code: str


class Added(BaseModel):
    """What became of numbers that were to be suppressed. `known`: they were suppressed already, as strongly."""

    read: int
    added: int
    known: int
    refused: int
    errors: Annotated[list[RefusedRow], Field(description="the first 1,000 that could not be read")] = []


class Checked(BaseModel):
    """Whether a number may be written to."""

    number: str
    suppressed: bool
    reason: str | None = None


class CheckedNumbers(BaseModel):
    """One answer for each number, in order."""

    items: list[Checked]


class BounceView(BaseModel):
    """A number that operators have called impossible. At `messages` enough it is suppressed."""

    number: str
    error: str
    messages: int
    last_at: str

    @classmethod
    def of(cls, document: Document) -> "BounceView":
        """As it is shown."""
        return cls(
            number=document["number"],
            error=document["error"],
            messages=len(document["messages"]),
            last_at=rfc3339(int(document["at"])),
        )


class ReviewView(BaseModel):
    """A text that speaks of STOP, for a person to decide."""

    id: str
    number: str
    to: str
    text: str | None
    at: str
    state: str

    @classmethod
    def of(cls, document: Document) -> "ReviewView":
        """As it is shown."""
        return cls(
            id=str(document["_id"]),
            number=document["number"],
            to=document["to"],
            text=document["text"],
            at=rfc3339(int(document["at"])),
            state=document["state"],
        )
