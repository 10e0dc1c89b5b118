"""The receipt stream as a table: one row a status change. The columns and their order are stable."""

import msgspec

from carillon.events.message import Status
from carillon.events.stream import CloudEvent


class Row(msgspec.Struct, kw_only=True, gc=False):
    """One status change with its place in the stream. New columns are only ever added at the end.

    No column's name is a word of SQL. `stream_offset` is the stream entry's, `place` the row's in it, from 0: both
    together never come twice in one stream.
    """

    stream_offset: int
    place: int
    event_id: str
    event_time: str
    message_id: str
    account: str
    campaign: str | None
    lane: str
    country: str
    operator: str | None
    status: Status
    previous: Status | None
    sequence: int
    error: str | None
    parts: int
    price_micros: int | None
    status_at: str
    accepted_at: str
    number: str | None


COLUMNS: tuple[str, ...] = Row.__struct_fields__


def rows_of(offset: int, event: CloudEvent, account: str | None = None) -> list[Row]:
    """The rows of one stream entry, or those of them that are this account's."""
    return [
        Row(
            stream_offset=offset,
            place=place,
            event_id=event.id,
            event_time=event.time,
            message_id=receipt.message_id,
            account=receipt.account,
            campaign=receipt.campaign,
            lane=receipt.lane,
            country=receipt.country,
            operator=receipt.operator,
            status=receipt.status,
            previous=receipt.previous,
            sequence=receipt.sequence,
            error=receipt.error,
            parts=receipt.parts,
            price_micros=receipt.price_micros,
            status_at=receipt.at,
            accepted_at=receipt.accepted_at,
            number=receipt.number,
        )
        for place, receipt in enumerate(event.data)
        if account is None or receipt.account == account
    ]
