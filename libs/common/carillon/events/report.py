"""What operators send us: delivery reports and inbound SMS."""

from typing import Annotated, Literal

from msgspec import Meta

from carillon.events.base import AccountId, Lane, MessageId, Millis, Number, OperatorName, Record

ReportState = Literal["delivered", "undelivered", "expired", "deleted", "rejected", "unknown", "enroute", "accepted"]
FINAL_STATES: frozenset[ReportState] = frozenset({"delivered", "undelivered", "expired", "deleted", "rejected"})


class ReportReceived(Record, kw_only=True):
    """`report.received`: an operator's word on one part. `unknown`, `enroute` and `accepted` are not final."""

    operator: OperatorName
    ref: Annotated[str, Meta(description="the operator's id of the part, normalised as in message.submitted")]
    state: ReportState
    error: Annotated[str | None, Meta(description="stable word from the operator's error table")] = None
    raw_error: Annotated[str | None, Meta(description="the operator's own code, as it came")] = None
    number: Annotated[Number, Meta(description="the handset")]
    at: Annotated[Millis, Meta(description="when the report reached us")]
    done_at: Annotated[Millis | None, Meta(description="when the operator says that it happened")] = None
    message_id: Annotated[MessageId | None, Meta(description="a hint: dispatcher still remembered the submit")] = None
    part: Annotated[int, Meta(ge=1, description="goes with message_id")] = 1
    trace: Annotated[str | None, Meta(description="W3C traceparent of the message, goes with message_id")] = None


class InboundReceived(Record, kw_only=True):
    """`inbound.received`: a handset wrote to one of our numbers. One record a part; joining is the listener's."""

    id: Annotated[MessageId, Meta(description="id of this inbound part")]
    operator: OperatorName
    number: Annotated[Number, Meta(description="the handset that wrote")]
    to: Annotated[str, Meta(description="our number or short code")]
    lane: Lane = "urgent"
    text: Annotated[str | None, Meta(description="decoded text of this part")] = None
    data: Annotated[str | None, Meta(description="user data in hex, when it is not text")] = None
    udh: Annotated[str | None, Meta(description="user data header in hex, its length octet first")] = None
    data_coding: int = 0
    at: Millis


class InboundAttributed(Record, kw_only=True):
    """`inbound.attributed`: whom an inbound SMS is for: the account that wrote to this handset last."""

    inbound: Annotated[InboundReceived, Meta(description="the part as it came")]
    account: Annotated[AccountId | None, Meta(description="None: nobody has written to it lately")] = None
