"""The body of `POST /v1/messages`: one message or a batch, of which each is read by itself."""

import re
from typing import Annotated, Final, TypeVar

import msgspec

from carillon.events.account import AccountChanged
from carillon.events.base import Lane
from carillon.events.message import Accepted, Deferred
from ingest.domain.order import draft_of
from ingest.domain.refusal import Refusal
from ingest.domain.request import MessageRequest, QuoteRequest

MAX_BATCH: Final = 1_000

# msgspec ends its messages with where it was: "Expected `str`, got `int` - at `$.callback.url`"
_PLACE: Final = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`\Z")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `([^`]*)`")

Outcome = Accepted | Deferred | Refusal


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Up to 1,000 messages, each judged by itself."""

    messages: Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]


class _Probe(msgspec.Struct, frozen=True):
    messages: msgspec.Raw = msgspec.Raw()


T = TypeVar("T")
_probe = msgspec.json.Decoder(_Probe)
_batch = msgspec.json.Decoder(Batch)
_message = msgspec.json.Decoder(MessageRequest)
_quote = msgspec.json.Decoder(QuoteRequest)


def decide(body: bytes, account: AccountChanged, key_id: str, now_ms: int) -> tuple[bool, list[Outcome]]:
    """Whether it is a batch, and a draft or a refusal for each message, in order.

    `Refusal` when the request as a whole cannot be read.
    """
    if not bytes(_read(_probe, body).messages):
        return False, [_decide_one(body, account, key_id, "urgent", now_ms)]
    records = _read(_batch, body).messages
    return True, [_decide_one(record, account, key_id, "bulk", now_ms) for record in records]


def read_quote(body: bytes) -> QuoteRequest:
    """A content to be quoted; `Refusal` when it cannot be read."""
    return _read(_quote, body)


def _read(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw) -> T:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _refusal(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refusal("json_invalid", "not JSON in UTF-8, or nested too deeply") from None


def _decide_one(record: bytes | msgspec.Raw, account: AccountChanged, key_id: str, lane: Lane, now_ms: int) -> Outcome:
    try:
        return draft_of(_read(_message, record), account, key_id, lane, now_ms)
    except Refusal as refusal:
        return refusal


def _refusal(message: str) -> Refusal:
    """msgspec says what was expected and what came by their types; values it does not quote."""
    place = _PLACE.search(message)
    detail = message[: place.start()] if place else message
    unknown = _UNKNOWN.match(detail)
    field = ".".join(part for part in (place[1] if place else "", unknown[1] if unknown else "") if part)
    return Refusal("field_unknown" if unknown else "field_invalid", detail, field or None)
