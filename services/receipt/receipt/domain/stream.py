"""The receipt stream's events: CloudEvents 1.0, structured JSON, one event a batch of status changes.

CONTRACTS: no phone number and no text in it.
"""

from collections.abc import Iterable, Sequence

import msgspec

from carillon.events.message import Status, StatusChanged
from carillon.runtime.ids import new_id
from receipt.domain.status import SEQUENCE
from receipt.domain.times import shown_time

CONTENT_TYPE = "application/cloudevents+json"
EVENT_TYPE = "carillon.message.status.v1"
SOURCE = "/carillon/receipt"


class Receipt(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One status change. Times are RFC 3339 in UTC. Of one message, the largest `sequence` is where it stands."""

    message_id: str
    account: str
    campaign: str | None = None
    status: Status
    previous: Status | None = None
    sequence: int
    operator: str | None = None
    country: str
    parts: int
    price_micros: int | None = None
    error: str | None = None
    lane: str
    at: str
    accepted_at: str


class CloudEvent(msgspec.Struct, kw_only=True, gc=False):
    """https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md"""

    specversion: str = "1.0"
    id: str
    source: str = SOURCE
    type: str = EVENT_TYPE
    time: str
    datacontenttype: str = "application/json"
    data: list[Receipt]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(CloudEvent).decode


def cloud_event(said: Iterable[tuple[StatusChanged, str]], now_ms: int) -> bytes:
    """One event of these changes, each with the country of its number."""
    return _encode(
        CloudEvent(
            id=new_id("evt"), time=shown_time(now_ms), data=[_receipt(change, country) for change, country in said]
        )
    )


def receipts_of(body: bytes, account: str) -> tuple[CloudEvent, Sequence[Receipt]]:
    """An event, and the receipts in it that are this account's."""
    event = _decode(body)
    return event, [receipt for receipt in event.data if receipt.account == account]


def narrowed(event: CloudEvent, receipts: Sequence[Receipt]) -> bytes:
    """The same event with only these receipts."""
    return _encode(msgspec.structs.replace(event, data=list(receipts)))


def _receipt(change: StatusChanged, country: str) -> Receipt:
    return Receipt(
        message_id=str(change.id),
        account=change.account,
        campaign=change.campaign,
        status=change.status,
        previous=change.previous,
        sequence=SEQUENCE[change.status],
        operator=change.operator,
        country=country,
        parts=change.parts,
        price_micros=change.price_micros,
        error=change.error,
        lane=change.lane,
        at=shown_time(change.at),
        accepted_at=shown_time(change.accepted_at),
    )
