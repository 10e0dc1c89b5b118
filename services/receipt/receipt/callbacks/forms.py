"""The four forms of a callback (CONTRACTS.md, section 2), as the bytes of an HTTP request."""

import base64
import hmac
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import msgspec

from carillon.events.message import Status, StatusChanged
from carillon.sms.legacy import legacy_word
from receipt.callbacks.targets import Target
from receipt.domain.times import shown_time

_QUIET: frozenset[Status] = frozenset({"accepted", "routed"})
_USER_AGENT = "Carillon"
_encode = msgspec.json.Encoder().encode


def is_told(target: Target, status: Status) -> bool:
    """Whether this form has anything to say for a status."""
    if target.form in ("query", "xml"):
        return legacy_word(status) is not None
    return status not in _QUIET


def request_of(target: Target, told: Sequence[StatusChanged], now_ms: int) -> bytes:
    """The request for these changes: exactly one, or at most 500 where the form is json-batch."""
    if target.form == "query":
        return _query(target, told[0])
    if target.form == "xml":
        return _xml(target, told[0])
    if target.form == "json":
        change = told[0]
        body = _encode(
            {"type": f"message.{change.status}", "timestamp": shown_time(change.at), "data": receipt_of(change)}
        )
        return _signed(target, f"msg_{change.id}_{change.status}", body, now_ms)
    receipts = [receipt_of(change) for change in told]
    body = _encode({"type": "message.receipts", "timestamp": shown_time(now_ms), "data": receipts})
    digest = sha256(b"".join(b"%d %s," % (change.id, change.status.encode()) for change in told)).hexdigest()
    return _signed(target, f"batch_{digest[:32]}", body, now_ms)


class Receipt(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One receipt of the JSON forms; what is not known is left out."""

    id: str
    status: Status
    previous: Status | None = None
    at: str
    accepted_at: str
    to: str
    sender: str = ""
    parts: int
    operator: str | None = None
    error: str | None = None
    client_ref: str | None = None
    campaign: str | None = None
    price_micros: int | None = None
    metadata: dict[str, Any] | None = None


def receipt_of(change: StatusChanged) -> Receipt:
    """A change as JSON clients read it."""
    return Receipt(
        id=str(change.id),
        status=change.status,
        previous=change.previous,
        at=shown_time(change.at),
        accepted_at=shown_time(change.accepted_at),
        to=change.number,
        sender=change.sender,
        parts=change.parts,
        operator=change.operator,
        error=change.error,
        client_ref=change.client_ref,
        campaign=change.campaign,
        price_micros=change.price_micros,
        metadata=change.metadata,
    )


def signature(keys: Sequence[bytes], id_: str, timestamp: int, body: bytes) -> str:
    """Standard Webhooks: `v1,<base64 of HMAC-SHA256>` with each valid secret, separated by blanks."""
    content = b"%s.%d.%s" % (id_.encode(), timestamp, body)
    return " ".join("v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode() for key in keys)


def _query(target: Target, change: StatusChanged) -> bytes:
    word = (legacy_word(change.status) or "").replace(" ", "%20")
    joint = "&" if "?" in target.path else "?"
    return (
        f"GET {target.path}{joint}msgid={change.id}&Status={word} HTTP/1.1\r\n"
        f"Host: {target.host_header}\r\nUser-Agent: {_USER_AGENT}\r\nAccept: */*\r\n\r\n"
    ).encode("ascii")


def _xml(target: Target, change: StatusChanged) -> bytes:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f"<receipt><msgid>{change.id}</msgid><Status>{legacy_word(change.status)}</Status></receipt>"
    ).encode("ascii")
    return _post(target, "text/xml; charset=utf-8", "", body)


def _signed(target: Target, id_: str, body: bytes, now_ms: int) -> bytes:
    timestamp = now_ms // 1000
    headers = f"webhook-id: {id_}\r\nwebhook-timestamp: {timestamp}\r\n"
    if target.keys:
        headers += f"webhook-signature: {signature(target.keys, id_, timestamp, body)}\r\n"
    return _post(target, "application/json", headers, body)


def _post(target: Target, content_type: str, headers: str, body: bytes) -> bytes:
    return (
        f"POST {target.path} HTTP/1.1\r\nHost: {target.host_header}\r\nUser-Agent: {_USER_AGENT}\r\n"
        f"Accept: */*\r\nContent-Type: {content_type}\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    ).encode("ascii") + body
