"""A client's URL, read once: where to connect, and the fixed bytes of each request."""

import base64
import binascii
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from carillon.events.message import CallbackForm

_MAX_URL = 2_048
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
_PATH_SAFE = "/:@!$&'()*+,;=-._~%?"
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9.])?", re.IGNORECASE)


class BadUrlError(ValueError):
    """This URL can't be called; the text says why."""


class Origin(NamedTuple):
    """What a connection is made to."""

    tls: bool
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Target:
    """Where and how the receipts of one account go. `path` holds the query that the URL already carries.

    `lane` names the client: an account's receipts to one origin, in batches or not.
    """

    account: str
    url: str
    form: CallbackForm
    origin: Origin
    path: str
    host_header: str
    keys: tuple[bytes, ...]
    lane: str


@lru_cache(maxsize=20_000)
def target_of(account: str, url: str, form: CallbackForm, secrets: tuple[str, ...]) -> Target:
    """Read a URL; `BadUrlError` when it is none that may be called."""
    if len(url) > _MAX_URL or _FORBIDDEN.search(url):
        raise BadUrlError("the URL is too long or has blanks or control characters in it")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadUrlError(str(error)) from error
    if parts.scheme not in ("http", "https"):
        raise BadUrlError("only http and https can be called")
    if parts.username is not None or parts.password is not None:
        raise BadUrlError("the URL must not hold a user name or a password")
    tls = parts.scheme == "https"
    host = _host(parts.hostname or "")
    origin = Origin(tls, host, port or (443 if tls else 80))
    shown = f"[{host}]" if ":" in host else host
    host_header = shown if origin.port == (443 if tls else 80) else f"{shown}:{origin.port}"
    path = quote(parts.path or "/", safe=_PATH_SAFE)
    if parts.query:
        path += "?" + quote(parts.query, safe=_PATH_SAFE)
    keys = tuple(key_of(secret) for secret in secrets)
    lane = f"{account} {parts.scheme}://{shown}:{origin.port}" + ("#batch" if form == "json-batch" else "")
    return Target(account, url, form, origin, path, host_header, keys, lane)


def key_of(secret: str) -> bytes:
    """The bytes of a `whsec_...` secret (Standard Webhooks: base64 after the prefix)."""
    text = secret.removeprefix("whsec_")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return text.encode()


def _host(name: str) -> str:
    if ":" in name:  # an IPv6 address: urlsplit took its brackets off
        return name
    try:
        host = name if name.isascii() else name.encode("idna").decode()
    except UnicodeError as error:
        raise BadUrlError("the host's name is not valid") from error
    if not _HOST.fullmatch(host):
        raise BadUrlError("the host's name is not valid")
    return host
