"""A message on its way: accepted, routed, submitted or refused, and every change of its status."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from carillon.events.base import AccountId, Lane, MessageId, Millis, Number, OperatorName, Record

Encoding = Literal["gsm", "ucs2", "binary"]
SenderType = Literal["alphanumeric", "international", "national"]
CallbackForm = Literal["query", "xml", "json", "json-batch"]
OnAmbiguous = Literal["hold", "resend"]
Status = Literal[
    "accepted", "scheduled", "routed", "submitted", "delivered", "undelivered", "refused", "lost", "suppressed",
    "cancelled", "ambiguous",
]  # fmt: skip
SubmitOutcome = Literal["submitted", "ambiguous"]


class Accepted(Record, kw_only=True):
    """`message.accepted`: the platform has promised to take this message to a final state."""

    id: MessageId
    account: AccountId
    number: Number
    sender: Annotated[str, Meta(description="originator as it is shown; an international one has no plus here")]
    sender_type: SenderType = "alphanumeric"
    lane: Lane
    encoding: Annotated[Encoding, Meta(description="decided once, at the door")]
    parts: Annotated[int, Meta(ge=1, le=255, description="SMS parts that the message takes")]
    text: Annotated[str | None, Meta(description="text, when encoding is gsm or ucs2")] = None
    data: Annotated[str | None, Meta(description="user data in hex, without its header, when encoding is binary")] = (
        None
    )
    udh: Annotated[str | None, Meta(description="user data header in hex, its length octet first")] = None
    data_coding: Annotated[int | None, Meta(description="SMPP data_coding of a binary message, 4 if absent")] = None
    accepted_at: Millis
    expires_at: Annotated[Millis | None, Meta(description="not to be submitted after this moment")] = None
    on_ambiguous: Annotated[OnAmbiguous, Meta(description="send again, or hold, when a submit's answer is lost")] = (
        "hold"
    )
    door: Annotated[str | None, Meta(description="legacy door or API key that it came through")] = None
    client_ref: Annotated[str | None, Meta(description="the client's own reference")] = None
    campaign: Annotated[str | None, Meta(description="campaign, cmp_...")] = None
    metadata: Annotated[dict[str, Any] | None, Meta(description="the client's own data, given back as it came")] = None
    callback_url: Annotated[
        str | None, Meta(description="receipts of this message go here, not to the account's URL")
    ] = None
    callback_form: Annotated[CallbackForm | None, Meta(description="form of this message's receipts")] = None
    price_micros: Annotated[int | None, Meta(description="price of the whole message, micro-units")] = None
    lease_id: Annotated[str | None, Meta(description="credit lease that pays for it; at_release: not yet")] = None
    rule: Annotated[str | None, Meta(description="rule of a legal window that deferred it")] = None
    trace: Annotated[str | None, Meta(description="W3C traceparent of the request, when it is sampled")] = None


class Deferred(Record, kw_only=True):
    """`message.deferred`: a message that was taken and is to be sent later. It keeps its id when it is."""

    message: Accepted
    send_at: Annotated[Millis, Meta(description="when it is to be sent")]

    @property
    def trace(self) -> str | None:
        """The message's traceparent."""
        return self.message.trace


class Routed(Record, kw_only=True):
    """`message.routed`: a message in the queue of one operator. Said and heard by dispatcher alone."""

    message: Accepted
    operators: Annotated[list[str], Meta(description="the operator to try now, then the failovers, in order")]
    attempt: Annotated[int, Meta(ge=0, description="how many times it was handed to an operator before")] = 0
    parts_done: Annotated[list[int], Meta(description="places (from 1) that an operator has already taken")] = []
    not_before: Annotated[Millis | None, Meta(description="wait until then: every operator was tried in vain")] = None

    @property
    def trace(self) -> str | None:
        """The message's traceparent."""
        return self.message.trace

    @property
    def accepted_at(self) -> int:
        """When the message was accepted."""
        return self.message.accepted_at


class Submitted(Record, kw_only=True):
    """`message.submitted`: one part is with an operator (or perhaps: its answer was lost)."""

    id: MessageId
    account: AccountId
    part: Annotated[int, Meta(ge=1, description="place of the part, from 1")] = 1
    parts: Annotated[int, Meta(ge=1, description="parts of the whole message")] = 1
    operator: OperatorName
    outcome: Annotated[SubmitOutcome, Meta(description="ambiguous: sent, but the answer was lost")] = "submitted"
    ref: Annotated[str | None, Meta(description="the operator's id of the part, normalised")] = None
    number: Number
    at: Millis
    attempt: Annotated[int, Meta(ge=0)] = 0
    trace: Annotated[str | None, Meta(description="W3C traceparent, when sampled")] = None


class Refused(Record, kw_only=True):
    """`message.refused`: the message will not be delivered, and why."""

    id: MessageId
    account: AccountId
    code: Annotated[str, Meta(description="stable word: no_route, expired, operator_refused, suppressed, ...")]
    detail: Annotated[str | None, Meta(description="what the operator said, or more about the code")] = None
    operator: Annotated[OperatorName | None, Meta(description="operator that refused it, if one did")] = None
    at: Millis
    trace: Annotated[str | None, Meta(description="W3C traceparent, when sampled")] = None


class StatusChanged(Record, kw_only=True):
    """`message.status`: what became of a message, once for each step that a client may be told of."""

    id: MessageId
    account: AccountId
    status: Status
    previous: Annotated[Status | None, Meta(description="status before this change, if there was one")] = None
    at: Millis
    number: Number
    sender: str = ""
    lane: Lane
    parts: Annotated[int, Meta(ge=1)] = 1
    operator: Annotated[OperatorName | None, Meta(description="operator of the (first) part")] = None
    error: Annotated[str | None, Meta(description="stable word for a failure: absent, unknown_number, ...")] = None
    door: str | None = None
    client_ref: str | None = None
    campaign: str | None = None
    metadata: dict[str, Any] | None = None
    callback_url: str | None = None
    callback_form: CallbackForm | None = None
    price_micros: int | None = None
    lease_id: str | None = None
    accepted_at: Millis = 0
    trace: str | None = None


class Bounced(Record, kw_only=True):
    """`message.bounced`: an operator says that the number does not exist: not now, and not for anybody."""

    id: MessageId
    account: AccountId
    number: Number
    error: Annotated[str, Meta(description="stable word: unknown_number, number_refused")]
    operator: Annotated[OperatorName | None, Meta(description="operator that said so")] = None
    at: Millis
