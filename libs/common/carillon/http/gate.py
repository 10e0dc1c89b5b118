"""What each request passes first, in pure ASGI: request id, trace, body cap, measure, and the last net for errors.

It costs 6 us a request. Services with a hot door put it behind the gate as a bare ASGI application (`doors`), so that
a request there doesn't pay for FastAPI's routing.
"""

import random
import re
import time
from collections.abc import Mapping
from typing import Any

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from carillon.http.errors import INTERNAL, Translations, as_problem, problem_response
from carillon.telemetry import names
from carillon.telemetry.logs import request_id
from carillon.telemetry.metrics import record_http
from carillon.telemetry.traces import span

log = structlog.get_logger(__name__)

REQUEST_ID_HEADER = "X-Request-Id"
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Gate:
    """ASGI application in front of an application and of the doors beside it.

    `body_caps` are sizes in bytes by path prefix (the longest counts); elsewhere `body_cap_bytes` holds.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        service: str,
        doors: Mapping[str, ASGIApp],
        body_cap_bytes: int,
        body_caps: Mapping[str, int],
        translations: Translations,
    ) -> None:
        self._app = app
        self._service = service
        self._doors = tuple((prefix.lower(), prefix, door) for prefix, door in doors.items())
        self._body_cap_bytes = body_cap_bytes
        self._body_caps = sorted(body_caps.items(), key=lambda cap: -len(cap[0]))
        self._translations = translations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Nothing that goes wrong leaves here, but a half-sent answer's error."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_s = time.perf_counter()
        length, given_id, traceparent = _read_headers(scope["headers"])
        app, prefix = self._destination(scope["path"])
        id_ = given_id or f"{random.getrandbits(96):024x}"  # it names, and guards nothing
        passage = _Passage(receive, send, self._cap_for(scope["path"]), id_)
        token = request_id.set(passage.id)
        try:
            with span(names.HTTP_REQUEST, root=True, parent=traceparent, kind="server") as here:
                await self._serve(app, scope, passage, length)
                route = prefix or _route_of(scope)
                if here.is_recording():
                    here.set_attribute(names.HTTP_METHOD, _method_of(scope))
                    here.set_attribute(names.HTTP_ROUTE, route)
                    here.set_attribute(names.HTTP_STATUS, passage.status)
        finally:
            request_id.reset(token)
            taken_s = time.perf_counter() - started_s
            status = f"{passage.status // 100}xx" if passage.status else "none"
            record_http(self._service, _method_of(scope), prefix or _route_of(scope), status, taken_s)

    async def _serve(self, app: ASGIApp, scope: Scope, passage: "_Passage", length: int | None) -> None:
        try:
            if length is not None and length > passage.cap_bytes:
                raise _too_large(passage.cap_bytes)
            await app(scope, passage.receive, passage.send)
        except ClientDisconnect:
            pass  # nobody is there to be answered
        except Exception as error:
            if passage.status and not passage.complete:
                raise  # the server must cut the connection, or the client would take the answer for whole
            problem = as_problem(error, self._translations)
            if problem is None:
                log.exception(
                    "http.unforeseen", service=self._service, method=_method_of(scope), route=_route_of(scope)
                )
                problem = INTERNAL
            if not passage.complete:
                await problem_response(problem)(scope, passage.receive, passage.send)

    def _destination(self, path: str) -> tuple[ASGIApp, str]:
        if self._doors:
            lower = path.lower()
            for start, prefix, door in self._doors:
                if lower.startswith(start):
                    return door, prefix
        return self._app, ""

    def _cap_for(self, path: str) -> int:
        for prefix, cap in self._body_caps:
            if path.startswith(prefix):
                return cap
        return self._body_cap_bytes


class _Passage:
    """One request on its way through: what it has sent, and how much of its body was read."""

    __slots__ = ("_read_bytes", "_receive", "_send", "cap_bytes", "complete", "id", "status")

    def __init__(self, receive: Receive, send: Send, cap_bytes: int, id_: str) -> None:
        self._receive = receive
        self._send = send
        self._read_bytes = 0
        self.cap_bytes = cap_bytes
        self.id = id_
        self.status = 0
        self.complete = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._read_bytes += len(message.get("body", b""))
            if self._read_bytes > self.cap_bytes:
                raise _too_large(self.cap_bytes)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), (b"x-request-id", self.id.encode())]
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            self.complete = True
        await self._send(message)


def _read_headers(headers: list[tuple[bytes, bytes]]) -> tuple[int | None, str | None, str | None]:
    """Content-Length, a well-formed X-Request-Id, and traceparent."""
    length = given = traceparent = None
    for name, value in headers:
        if name == b"content-length":
            length = int(value) if value.isdigit() else None
        elif name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            given = value.decode()
        elif name == b"traceparent":
            traceparent = value.decode("latin-1")
    return length, given, traceparent


def _too_large(cap_bytes: int) -> HTTPException:
    """An HTTPException, because FastAPI lets only those through while it reads a body."""
    return HTTPException(413, f"A body of at most {cap_bytes} bytes is taken here.", {"Connection": "close"})


def _route_of(scope: Scope) -> str:
    """Path template that served the request: a closed set, unlike paths."""
    route: Any = scope.get("route")
    return getattr(route, "path", None) or "unmatched"


def _method_of(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method in _METHODS else "other"
