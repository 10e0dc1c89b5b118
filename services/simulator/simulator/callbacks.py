"""A place to send callbacks to, for whoever has no server yet. Takes any method, answers at once, remembers.

It stands in front of the other routes as a plain ASGI application: benches call it once a message.
"""

from typing import Any
from urllib.parse import unquote

from carillon.runtime.clock import Clock
from carillon.runtime.lifecycle import AsgiApp
from simulator.domain.callback_log import KEPT_BODY_BYTES, Callback, CallbackLog, read_receipts

PATH = "/simulator/callbacks"
RESERVED = frozenset({"stats", "messages"})
MAX_BODY_BYTES = 1_000_000


class CallbackSink:
    """Answers `ANY /simulator/callbacks` and `/simulator/callbacks/<name>`; the rest goes to `app`.

    A name that starts with three digits and a dash answers with that status (`503-retries`, `410-gone`), so that one
    can watch what happens then; any other answers 200.
    """

    def __init__(self, app: AsgiApp, log: CallbackLog, clock: Clock) -> None:
        self._app = app
        self._log = log
        self._clock = clock

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI."""
        name = _name(scope["path"]) if scope["type"] == "http" else None
        if name is None:
            await self._app(scope, receive, send)
            return
        status = _status(name)
        body = await _body(receive)
        if body is None:
            status = 413
        else:
            self._note(scope, name, body)
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def _note(self, scope: Any, name: str, body: bytes) -> None:
        query = scope["query_string"].decode("latin-1")
        content_type = next((value for key, value in scope["headers"] if key == b"content-type"), b"").decode("latin-1")
        self._log.add(
            Callback(
                self._clock.now_ms(),
                name,
                scope["method"],
                query,
                content_type,
                body[:KEPT_BODY_BYTES].decode("utf-8", "replace"),
                read_receipts(query, content_type, body),
            )
        )


def _name(path: str) -> str | None:
    if not path.startswith(PATH):
        return None
    rest = path[len(PATH) :].removesuffix("/")
    if not rest:
        return ""
    name = unquote(rest[1:])
    return None if rest[0] != "/" or name in RESERVED or "/" in name else name[:64]


def _status(name: str) -> int:
    digits, dash, _ = name.partition("-")
    if dash and len(digits) == 3 and digits.isascii() and digits.isdigit() and "200" <= digits <= "599":
        return int(digits)
    return 200


async def _body(receive: Any) -> bytes | None:
    """The whole body; None when it is too long."""
    pieces, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b""
        piece = message.get("body", b"")
        size += len(piece)
        if size <= MAX_BODY_BYTES:
            pieces.append(piece)
        if not message.get("more_body", False):
            return b"".join(pieces) if size <= MAX_BODY_BYTES else None
