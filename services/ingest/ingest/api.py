"""The HTTP of the JSON API, bare ASGI like the legacy door: FastAPI's way to a route costs more than all that we do.

`ingest.openapi` describes it. What goes wrong leaves as a `Problem`, which the gate answers.
"""

from collections.abc import Callable
from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from carillon.http.app import create_app
from carillon.http.principal import Directory, authenticate
from carillon.http.problem import Problem, not_found, retry_after
from carillon.runtime.clock import Clock
from carillon.telemetry import metrics
from ingest import openapi
from ingest.acceptance import BUSY_ERRORS, RETRY_AFTER_S, busy_code
from ingest.doors.json_door import PATH, QUOTE_PATH, JsonDoor
from ingest.doors.legacy import PREFIX, LegacyDoor
from ingest.limits import Limits

SCOPE: Final = "messages"

_BODY_CAP_BYTES: Final = 4 << 20  # 1,000 long messages
_NO_CAP_BYTES: Final = 1 << 40  # the legacy door bounds its bodies itself: its answer is never a 413


def application(
    door: JsonDoor,
    legacy: LegacyDoor,
    accounts: Directory,
    limits: Limits,
    clock: Clock,
    *,
    health: Callable[[], dict[str, str]],
) -> FastAPI:
    """Both doors behind one gate, with health, metrics and the OpenAPI document."""
    app = create_app(
        "Carillon ingest",
        routers=[],
        health=health,
        doors={PREFIX: legacy, PATH: JsonApi(door, accounts, limits, clock)},
        body_cap_bytes=_NO_CAP_BYTES,
        body_caps={"/v1": _BODY_CAP_BYTES},
        translations=dict.fromkeys(BUSY_ERRORS, _busy),
    )
    openapi.complete(app)
    return app


class JsonApi:
    """Answers every request below `PATH`."""

    def __init__(self, door: JsonDoor, keys: Directory, limits: Limits, clock: Clock) -> None:
        self._door = door
        self._keys = keys
        self._limits = limits
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; `Problem` for what cannot be served."""
        path = scope["path"]
        if path not in (PATH, QUOTE_PATH):
            raise not_found()
        if scope["method"] != "POST":
            raise Problem(405, "method_not_allowed", headers={"Allow": "POST"})
        request = Request(scope, receive)
        principal = authenticate(self._keys, _bearer(request.headers.get("authorization")), SCOPE, self._clock.now_ms())
        body = await request.body()
        try:
            if path == PATH:
                answer = await self._door.send(principal, body, request.headers.get("idempotency-key"))
            else:
                answer = Response(self._door.quote(principal, body), media_type="application/json")
        except Problem as problem:
            problem.headers.update(self._limits.headers(principal.account))
            raise
        answer.headers.update(self._limits.headers(principal.account))
        await answer(scope, receive, send)


def _bearer(authorization: str | None) -> str | None:
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _busy(error: Exception) -> Problem:
    metrics.record_request("json", "overloaded")
    detail = "Messages cannot be made durable just now. Try again, with the same Idempotency-Key if there was one."
    return Problem(503, busy_code(error), detail, headers=retry_after(RETRY_AFTER_S))
