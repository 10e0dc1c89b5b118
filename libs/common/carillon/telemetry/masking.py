"""What must never be in a log.

Phone numbers, texts and secrets, by the key that holds them or by their look.
"""

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

MASK = "***"

# The value of one of these is never written, whatever it is.
PRIVATE_KEYS = frozenset(
    {
        "number", "numbers", "to", "from", "recipient", "recipients", "msisdn", "phone",
        "text", "content", "data", "udh", "xmldata", "body", "payload", "variables", "waptitle", "metadata",
        "login", "password", "passwd", "password_hash", "secret", "secrets", "api_key", "token",
        "admin_token", "authorization", "proxy-authorization", "cookie", "hash", "webhook-signature",
    }
)  # fmt: skip

# What looks like a phone number here is none: digits of ids and of times.
PLAIN_KEYS = frozenset({"id", "ids", "msgid", "trace_id", "span_id", "timestamp", "level", "logger", "service"})

_MAX_DEPTH = 6
_LOOKS = (
    (re.compile(r"://[^\s/@]+@"), f"://{MASK}@"),
    (re.compile(r"\b(ck_live_|whsec_)[A-Za-z0-9+/=_-]+"), rf"\1{MASK}"),
    (re.compile(r"\b(Bearer|Basic) +[A-Za-z0-9+/=._~-]{8,}", re.IGNORECASE), rf"\1 {MASK}"),
    (
        re.compile(
            r"\b(number|to|text|content|data|udh|login|password|token|secret|api_key)=[^&\s'\"]+",
            re.IGNORECASE,
        ),
        rf"\1={MASK}",
    ),
    # pydantic quotes the value that it refuses
    (re.compile(r"input_value=.*?, input_type="), f"input_value={MASK}, input_type="),
    (re.compile(r"\+\d[\d .()-]{6,20}\d"), MASK),
    (re.compile(r"(?<!\d)\d{8,15}(?!\d)"), MASK),
)


def mask_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask every value of a log line in place; the last processor before rendering."""
    for key, value in event.items():
        event[key] = _masked(key, value, 0)
    return event


def mask_value(value: Any) -> Any:
    """A copy of a record's plain data (objects, lists, scalars), masked as a log line would be."""
    return _masked("", value, 0)


def mask_text(text: str) -> str:
    """Mask what looks like a phone number (a run of 8 to 15 digits), a credential or a quoted input in a.

    Text.

    Message ids have 16 to 19 digits in any month but the first after their epoch, so they stay readable.
    """
    for look, replacement in _LOOKS:
        text = look.sub(replacement, text)
    return text


def _masked(key: str, value: Any, depth: int) -> Any:
    name = key.lower()
    if name in PRIVATE_KEYS:
        return None if value is None else MASK
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value if name in PLAIN_KEYS or name.endswith("_id") else mask_text(value)
    if depth == _MAX_DEPTH:
        return MASK
    if isinstance(value, Mapping):
        return {str(inner): _masked(str(inner), held, depth + 1) for inner, held in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(key, held, depth + 1) for held in value]
    return _described(value)


def _described(value: Any) -> str:
    """Objects that hold fields show their type only: their repr would show the fields."""
    kind = type(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if any(hasattr(kind, mark) for mark in ("__struct_fields__", "model_fields", "__dataclass_fields__")):
        return f"<{kind.__name__}>"
    if isinstance(value, BaseException):
        return f"{kind.__name__}: {mask_text(str(value))}"
    return mask_text(str(value))
