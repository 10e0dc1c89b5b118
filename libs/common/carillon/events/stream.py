"""The receipt stream's events: CloudEvents 1.0, structured JSON, one event a batch of status changes.

There is no text in it, and no phone number unless the platform turns it on.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from carillon.events.base import MAX_RECORDS, AccountId, Lane, OperatorName
from carillon.events.message import Status

CONTENT_TYPE = "application/cloudevents+json"
EVENT_TYPE = "carillon.message.status.v1"
SOURCE = "/carillon/receipt"

Time = Annotated[str, Meta(description="RFC 3339 in UTC, to the millisecond")]


class Receipt(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One status change. Of one message, the largest `sequence` is where it stands.

    The same change may be told twice: same message, same status.
    """

    message_id: Annotated[str, Meta(description="message id, a number of up to 19 digits; ids sort by time")]
    account: AccountId
    campaign: Annotated[str | None, Meta(description="campaign, cmp_...")] = None
    status: Status
    previous: Annotated[Status | None, Meta(description="status before this change, if there was one")] = None
    sequence: Annotated[int, Meta(ge=1, description="rank of the status: a message ends at its largest")]
    operator: Annotated[OperatorName | None, Meta(description="operator of the (first) part")] = None
    country: Annotated[str, Meta(description="ISO 3166-1 alpha-2 of the number; empty when it has none")]
    parts: Annotated[int, Meta(ge=1, description="SMS parts of the message")]
    price_micros: Annotated[int | None, Meta(description="price of the whole message, micro-units")] = None
    error: Annotated[str | None, Meta(description="stable word for a failure: absent, unknown_number, ...")] = None
    lane: Lane
    at: Annotated[Time, Meta(description="when the message came to this status")]
    accepted_at: Annotated[Time, Meta(description="when the message was accepted")]
    number: Annotated[
        str | None,
        Meta(description="only where the platform turns it on: the number, or a keyed hash of it (h_ + 32 hex digits)"),
    ] = None


class CloudEvent(msgspec.Struct, kw_only=True, gc=False):
    """https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md"""

    specversion: Literal["1.0"] = "1.0"
    id: Annotated[str, Meta(description="evt_...")]
    source: str = SOURCE
    type: Annotated[str, Meta(description="what `data` is a list of, with its version")] = EVENT_TYPE
    time: Annotated[Time, Meta(description="when the event was written")]
    datacontenttype: str = "application/json"
    data: Annotated[list[Receipt], Meta(min_length=1, max_length=MAX_RECORDS)]


encode_event = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(CloudEvent).decode


def decode_event(body: bytes) -> CloudEvent | None:
    """An entry of the stream; None when it is none of ours, or of a version that is not known here: leave it out."""
    try:
        event = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return event if event.type == EVENT_TYPE else None


EXAMPLE = CloudEvent(
    id="evt_01kamq1qhrg1e8n5y0k7z3m2pv",
    time="2026-11-18T11:06:42.020Z",
    data=[
        Receipt(
            message_id="247712361308164096", account="acc_demo", campaign="cmp_1", status="delivered",
            previous="submitted", sequence=9, operator="north", country="FR", parts=1, price_micros=70_000, lane="bulk",
            at="2026-11-18T11:06:42.000Z", accepted_at="2026-11-18T11:06:40.000Z",
        )
    ],
)  # fmt: skip
