"""What the API shows of messages and callbacks."""

from typing import Any

import msgspec
from pydantic import BaseModel, Field

from carillon.events.message import Status
from carillon.mongo import Document
from carillon.runtime.clock import rfc3339
from receipt.domain.milestones import DELIVERED_RANK, Milestones
from receipt.domain.status import chain_of, error_of, moment_of, operator_of
from receipt.store.callback_log import Told
from receipt.store.disabled_urls import Disabled
from receipt.store.histories import Known


class MilestoneView(BaseModel):
    """A status that the message has come to."""

    status: Status
    at: str


class PartView(BaseModel):
    """One SMS of the message."""

    part: int
    operator: str | None = None
    ref: str | None = Field(default=None, description="the operator's id")
    submitted_at: str | None = None
    ambiguous_at: str | None = Field(default=None, description="sent, and the operator's answer was lost")
    state: str | None = Field(default=None, description="the operator's final word")
    error: str | None = None
    final_at: str | None = None


class AttemptView(BaseModel):
    """One call to the client."""

    at: str
    http_status: int | None = Field(description="null: there was no answer, and `error` says why")
    error: str | None = None
    took_ms: int


class CallbackView(BaseModel):
    """A status that was to be told to a client."""

    id: str
    message_id: str
    status: str
    url: str
    state: str = Field(description="pending, done or parked")
    reason: str | None = Field(default=None, description="why it is parked")
    next_attempt_at: str | None = None
    attempts: list[AttemptView]


class MessageView(BaseModel):
    """A message in a list."""

    id: str
    status: Status
    previous: Status | None = None
    status_at: str
    to: str
    sender: str
    lane: str
    encoding: str
    parts: int
    country: str
    operator: str | None = None
    error: str | None = None
    client_ref: str | None = None
    campaign: str | None = None
    door: str | None = None
    price_micros: int | None = None
    metadata: dict[str, Any] | None = None
    accepted_at: str
    send_at: str | None = None


class FullMessageView(MessageView):
    """Everything known of a message."""

    milestones: list[MilestoneView]
    part_details: list[PartView]
    route: list[str] = Field(description="operators that it was handed to")
    callbacks: list[CallbackView] = Field(description="of the last seven days, and what is still to be told")
    trace_id: str | None = None


class DisabledUrlView(BaseModel):
    """A URL that answered 410 Gone: it is not called until it is enabled again."""

    id: str
    url: str
    disabled_at: str


def message_view(document: Document, known: Known) -> MessageView:
    """A message as lists show it."""
    return MessageView(**_shown(document, known))


def full_view(document: Document, known: Known, callbacks: list[CallbackView]) -> FullMessageView:
    """A message with all details."""
    milestones = known.milestones
    trace = document.get("trace")
    operators = [
        *(submission.operator for _, submission in sorted(milestones.submitted.items())),
        *(doubt.operator for _, doubt in sorted(milestones.doubts.items())),
    ]
    return FullMessageView(
        **_shown(document, known),
        milestones=[
            MilestoneView(status=status, at=rfc3339(moment_of(milestones, status)))
            for status in chain_of(milestones, known.facts.parts)
        ],
        part_details=[_part_view(milestones, part) for part in range(1, known.facts.parts + 1)],
        route=list(dict.fromkeys(operators)),
        callbacks=callbacks,
        trace_id=trace.split("-")[1] if trace and trace.count("-") >= 3 else None,
    )


def callback_view(document: Document) -> CallbackView:
    """A callback that did not succeed at once."""
    return CallbackView(
        id=document["_id"],
        message_id=str(document["message"]),
        status=document["status"],
        url=document["url"],
        state=document["state"],
        reason=document.get("reason"),
        next_attempt_at=rfc3339(document["next_at"]) if document["state"] == "pending" else None,
        attempts=[
            AttemptView(
                at=rfc3339(attempt["at"]),
                http_status=attempt["status"] or None,
                error=attempt.get("error"),
                took_ms=attempt["took_ms"],
            )
            for attempt in document["attempts"]
        ],
    )


def told_view(told: Told) -> CallbackView:
    """A callback that succeeded at once."""
    return CallbackView(
        id=f"{told.message}-{told.status}",
        message_id=str(told.message),
        status=told.status,
        url=told.url,
        state="done",
        attempts=[AttemptView(at=rfc3339(told.at_ms), http_status=told.code, took_ms=told.took_ms)],
    )


def disabled_view(disabled: Disabled) -> DisabledUrlView:
    """A URL that is not called any more."""
    return DisabledUrlView(id=disabled.id, url=disabled.url, disabled_at=rfc3339(disabled.at_ms))


def _shown(document: Document, known: Known) -> dict[str, Any]:
    facts, milestones = known.facts, known.milestones
    chain = chain_of(milestones, facts.parts)
    metadata = document.get("metadata")
    return {
        "id": str(facts.id),
        "status": chain[-1],
        "previous": chain[-2] if len(chain) > 1 else None,
        "status_at": rfc3339(moment_of(milestones, chain[-1])),
        "to": facts.number,
        "sender": facts.sender,
        "lane": facts.lane,
        "encoding": document["encoding"],
        "parts": facts.parts,
        "country": known.country,
        "operator": operator_of(milestones),
        "error": error_of(milestones, chain[-1]),
        "client_ref": facts.client_ref,
        "campaign": facts.campaign,
        "door": facts.door,
        "price_micros": facts.price_micros,
        "metadata": msgspec.json.decode(metadata) if metadata is not None else None,
        "accepted_at": rfc3339(facts.accepted_at),
        "send_at": rfc3339(milestones.scheduled) if milestones.scheduled is not None else None,
    }


def _part_view(milestones: Milestones, part: int) -> PartView:
    view = PartView(part=part)
    submission, doubt, final = (
        milestones.submitted.get(part),
        milestones.doubts.get(part),
        milestones.finals.get(part),
    )
    if doubt is not None:
        view.operator, view.ambiguous_at = doubt.operator, rfc3339(doubt.at)
    if submission is not None:
        view.operator, view.ref, view.submitted_at = submission.operator, submission.ref or None, rfc3339(submission.at)
    if final is not None:
        view.operator = view.operator or final.operator
        view.state, view.final_at = final.state, rfc3339(final.at)
        view.error = (final.error or final.state) if final.rank != DELIVERED_RANK else None
    return view
