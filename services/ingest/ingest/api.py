"""The HTTP of the JSON API: who may, what OpenAPI says, and which problem stands for which error."""

from collections.abc import Callable
from typing import Annotated, Final

from fastapi import APIRouter, Depends, FastAPI, Request, Response

from carillon.http.app import create_app
from carillon.http.idempotency import KeyHeader
from carillon.http.principal import Directory, Principal, require_scope
from carillon.http.problem import Problem, retry_after
from carillon.runtime.clock import Clock
from ingest import openapi
from ingest.acceptance import BUSY_ERRORS, RETRY_AFTER_S, busy_code
from ingest.doors.json_door import PATH, JsonDoor
from ingest.doors.legacy import PREFIX, LegacyDoor

SCOPE: Final = "messages"

_BODY_CAP_BYTES: Final = 4 << 20  # 1,000 long messages
_NO_CAP_BYTES: Final = 1 << 40  # the legacy door bounds its bodies itself: its answer is never a 413


def application(
    door: JsonDoor, legacy: LegacyDoor, accounts: Directory, clock: Clock, *, health: Callable[[], dict[str, str]]
) -> FastAPI:
    """Both doors behind one gate."""
    app = create_app(
        "Carillon ingest",
        routers=[routes(door, accounts, clock)],
        health=health,
        doors={PREFIX: legacy},
        body_cap_bytes=_NO_CAP_BYTES,
        body_caps={"/v1": _BODY_CAP_BYTES},
        translations=dict.fromkeys(BUSY_ERRORS, _busy),
    )
    openapi.complete(app)
    return app


def routes(door: JsonDoor, keys: Directory, clock: Clock) -> APIRouter:
    """`POST /v1/messages` and `/v1/messages/quote`."""
    router = APIRouter(tags=["messages"])
    authenticated = Annotated[Principal, Depends(require_scope(keys, SCOPE, clock))]

    @router.post(PATH, status_code=202, **openapi.SEND)
    async def send_messages(request: Request, principal: authenticated, idempotency_key: KeyHeader = None) -> Response:
        """Send one message, or up to 1,000: then each has its own result, in order.

        A message that is answered with an id is durable, and will reach a final state. With an `Idempotency-Key` the
        same request may be made again for 24 h: it sends nothing twice and gets the same answer.
        """
        return await door.send(principal, await request.body(), idempotency_key)

    @router.post(f"{PATH}/quote", **openapi.QUOTE)
    async def quote_message(request: Request, _principal: authenticated) -> Response:
        """Count a content before it is sent: parts, encoding, what forces UCS-2 and the text that would cost less."""
        return Response(door.quote(await request.body()), media_type="application/json")

    return router


def _busy(error: Exception) -> Problem:
    detail = "Messages cannot be made durable just now. Try again, with the same Idempotency-Key if there was one."
    return Problem(503, busy_code(error), detail, headers=retry_after(RETRY_AFTER_S))
