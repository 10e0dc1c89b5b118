"""The JSON API's rules: from a request for a message to its draft, or what is wrong with it."""

import math
import re
from typing import Any, Final

import msgspec

from carillon.events.account import AccountChanged
from carillon.events.base import Lane
from carillon.events.message import Accepted, Deferred, SenderType
from carillon.runtime.clock import parse_rfc3339
from carillon.sms.numbers import NumberInvalid, recipient
from carillon.sms.sender import SenderInvalid, guess_sender
from ingest.domain.content import Content, binary_content, check_not_empty, text_content, wap_content, whole_udh
from ingest.domain.refusal import Refusal
from ingest.domain.request import MessageRequest, QuoteRequest

_URL: Final = re.compile(r"https?://[^\s/?#@]+(?:[/?#][!-~]*)?", re.ASCII | re.IGNORECASE)
_METADATA_DEPTH: Final = 4
_METADATA_BYTES: Final = 2_048
_METADATA_KEY: Final = re.compile(r"[^$\x00][^\x00]{0,63}")
_FARTHEST_MS: Final = 366 * 86_400_000
_INT64: Final = 1 << 63


def draft_of(
    request: MessageRequest, account: AccountChanged, key_id: str, default_lane: Lane, now_ms: int
) -> Accepted | Deferred:
    """The message that is asked for, its id still 0, now or later; `Refusal` when it cannot be taken."""
    send_at = _send_at(request.send_at, now_ms)
    message = _message_of(request, account, key_id, default_lane, now_ms, send_at or now_ms)
    return message if send_at is None else Deferred(message=message, send_at=send_at)


def _message_of(
    request: MessageRequest, account: AccountChanged, key_id: str, default_lane: Lane, now_ms: int, from_ms: int
) -> Accepted:
    """`from_ms`: when its validity begins."""
    number = recipient_of(request.to, account.country)
    content = content_of(request)
    sender, sender_type = _sender(request.sender, account)
    callback = request.callback
    if callback is not None:
        _check_url(callback.url)
    if request.metadata is not None:
        _check_metadata(request.metadata)
    return Accepted(
        id=0,
        account=account.id,
        number=number,
        sender=sender,
        sender_type=sender_type,
        lane=request.lane or default_lane,
        encoding=content.encoding,
        parts=content.parts,
        text=content.text,
        data=content.data,
        udh=content.udh,
        data_coding=content.data_coding,
        accepted_at=now_ms,
        expires_at=from_ms + request.validity_s * 1000 if request.validity_s else None,
        on_ambiguous=request.on_ambiguous or account.on_ambiguous,
        door=key_id,
        client_ref=request.client_ref,
        metadata=request.metadata,
        callback_url=callback.url if callback else None,
        callback_form=callback.form if callback else None,
    )


def content_of(request: MessageRequest | QuoteRequest) -> Content:
    """Its content, counted; `Refusal` when there is none, or more than one."""
    if request.template_id is not None:
        raise Refusal("templates_unavailable", "templates are not available for now", "template_id")
    if (request.text is not None) + (request.binary is not None) + (request.wap_push is not None) != 1:
        raise Refusal("content_not_one", "exactly one of text, binary and wap_push", "text")
    if request.binary is not None:
        check_not_empty(request.binary.data, "binary.data")
        udh = whole_udh(request.binary.udh) if request.binary.udh else None
        return binary_content(request.binary.data, udh)
    if request.wap_push is not None:
        return wap_content(request.wap_push.url, request.wap_push.title)
    text = request.text or ""
    check_not_empty(text, "text")
    return text_content(text)


def _send_at(value: str | None, now_ms: int) -> int | None:
    """When it is to be sent, in ms; None: at once, as for a moment that has passed."""
    if value is None:
        return None
    try:
        moment_ms = parse_rfc3339(value)
    except ValueError:
        raise Refusal("send_at_invalid", "an RFC 3339 time with its offset", "send_at") from None
    if moment_ms > now_ms + _FARTHEST_MS:
        raise Refusal("send_at_too_far", "at most 366 days from now", "send_at")
    return moment_ms if moment_ms > now_ms else None


def recipient_of(value: str, country: str) -> str:
    """The number that a message goes to; `Refusal` when it is none."""
    try:
        return recipient(value, country)
    except NumberInvalid as error:
        raise Refusal(error.code, "an international mobile number, 8 to 15 digits", "to") from None


def _sender(value: str | None, account: AccountChanged) -> tuple[str, SenderType]:
    if value is None:
        return account.default_sender, account.default_sender_type
    try:
        sender = guess_sender(value)
    except SenderInvalid as error:
        raise Refusal(error.code, str(error), "sender") from None
    return sender.value, sender.kind


def _check_url(url: str) -> None:
    if _URL.fullmatch(url) is None:
        raise Refusal(
            "callback_invalid", "an http or https URL of ASCII characters, without credentials", "callback.url"
        )


def _check_metadata(metadata: dict[str, Any]) -> None:
    """What cannot be kept and given back as it came is refused here: nothing behind the door could refuse it."""
    if not _can_be_kept(metadata, _METADATA_DEPTH):
        raise Refusal(
            "metadata_invalid",
            f"at most {_METADATA_DEPTH} levels; names of 1 to 64 characters, not with $ first; 64-bit numbers",
            "metadata",
        )
    if len(msgspec.json.encode(metadata)) > _METADATA_BYTES:
        raise Refusal("metadata_too_large", f"{_METADATA_BYTES} bytes at most as JSON", "metadata")


def _can_be_kept(value: object, levels: int) -> bool:
    if isinstance(value, dict):
        return levels > 0 and all(
            _METADATA_KEY.fullmatch(key) is not None and _can_be_kept(inner, levels - 1) for key, inner in value.items()
        )
    if isinstance(value, list):
        return levels > 0 and all(_can_be_kept(inner, levels - 1) for inner in value)
    if isinstance(value, int):
        return -_INT64 <= value < _INT64
    return not isinstance(value, float) or math.isfinite(value)
