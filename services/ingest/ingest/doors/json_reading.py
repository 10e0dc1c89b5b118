"""The body of `POST /v1/messages`: one message or a batch, each record read by itself so that a bad one stands alone."""

import re
from collections.abc import Sequence
from typing import Annotated, Final, TypeVar

import msgspec

from carillon.events.account import AccountChanged
from carillon.events.base import Lane
from carillon.events.message import Accepted
from ingest.domain.order import draft_of
from ingest.domain.refusal import Refusal
from ingest.domain.request import MessageRequest

MAX_BATCH: Final = 1_000
MAX_BODY_BYTES: Final = 4 * 1024 * 1024

# msgspec ends its messages with where it was: "Expected `str`, got `int` - at `$.callback.url`"
_PLACE: Final = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`\Z")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `([^`]*)`")

Outcome = Accepted | Refusal


class BadBodyError(Exception):
    """The request as a whole cannot be read: `code`, a word for people, and the field if one is to blame."""

    def __init__(self, code: str, detail: str, field: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.field = field


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Up to 1,000 messages, each judged by itself."""

    messages: Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]


class _Probe(msgspec.Struct, frozen=True):
    messages: msgspec.Raw = msgspec.Raw()


T = TypeVar("T")
_probe = msgspec.json.Decoder(_Probe)
_batch = msgspec.json.Decoder(Batch)
_message = msgspec.json.Decoder(MessageRequest)


def is_batch(body: bytes) -> bool:
    """Whether a body is a batch; `BadBodyError` when it is no JSON object at all."""
    return bool(bytes(read(_probe, body).messages))


def decide(body: bytes, account: AccountChanged, key_id: str, now_ms: int) -> list[Outcome]:
    """A draft or a refusal for each message of a batch, in order; or for the one message."""
    if not is_batch(body):
        return [_decide_one(body, account, key_id, "urgent", now_ms)]
    records = read(_batch, body).messages
    return [_decide_one(record, account, key_id, "bulk", now_ms) for record in records]


def read(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw) -> T:
    """Decode; `BadBodyError` says what is wrong, without quoting values."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        refusal = _refusal(str(error))
        raise BadBodyError(refusal.code, refusal.detail, refusal.field) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadBodyError("json_invalid", "the body is not JSON in UTF-8") from None


def _decide_one(
    record: bytes | msgspec.Raw, account: AccountChanged, key_id: str, lane: Lane, now_ms: int
) -> Outcome:
    try:
        return draft_of(_message.decode(record), account, key_id, lane, now_ms)
    except Refusal as refusal:
        return refusal
    except msgspec.ValidationError as error:
        return _refusal(str(error))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Refusal("json_invalid", "not JSON in UTF-8")


def _refusal(message: str) -> Refusal:
    place = _PLACE.search(message)
    detail = message[: place.start()] if place else message
    unknown = _UNKNOWN.match(detail)
    field = ".".join(part for part in (place[1] if place else "", unknown[1] if unknown else "") if part)
    return Refusal("field_unknown" if unknown else "field_invalid", detail, field or None)


def drafts_in(outcomes: Sequence[Outcome]) -> list[Accepted]:
    """Those that are to be sent."""
    return [outcome for outcome in outcomes if isinstance(outcome, Accepted)]
