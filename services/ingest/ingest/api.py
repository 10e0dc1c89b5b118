"""The HTTP of the JSON API: who may, what OpenAPI says, and which problem stands for which error."""

from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, FastAPI, Request, Response

from carillon.http.app import create_app
from carillon.http.idempotency import KeyHeader
from carillon.http.principal import Directory, Principal, require_scope
from carillon.http.problem import Problem, retry_after
from carillon.runtime.clock import Clock
from ingest.acceptance import BUSY_ERRORS, RETRY_AFTER_S, busy_code
from ingest.domain.quote import Quote
from ingest.domain.request import MessageRequest, QuoteRequest
from ingest.doors.json_door import PATH, JsonDoor, Taken
from ingest.doors.json_reading import MAX_BATCH
from ingest.doors.legacy import PREFIX, LegacyDoor

SCOPE: Final = "messages"

_BODY_CAP_BYTES: Final = 4 << 20  # 1,000 long messages
_NO_CAP_BYTES: Final = 1 << 40  # the legacy door bounds its bodies itself: its answer is never a 413

_REF: Final = "#/components/schemas/{name}"
_SHAPES: Final = (MessageRequest, QuoteRequest, Taken, Quote)
_PROBLEM: Final = {"$ref": _REF.format(name="Problem")}


def _ref(shape: type[msgspec.Struct]) -> dict[str, Any]:
    return {"$ref": _REF.format(name=shape.__name__)}


_SEND: Final = {
    "oneOf": [
        _ref(MessageRequest),
        {
            "type": "object",
            "required": ["messages"],
            "additionalProperties": False,
            "properties": {
                "messages": {"type": "array", "items": _ref(MessageRequest), "minItems": 1, "maxItems": MAX_BATCH}
            },
        },
    ]
}
_SENT: Final = {
    "oneOf": [
        _ref(Taken),
        {
            "type": "object",
            "required": ["results"],
            "properties": {
                "results": {
                    "type": "array",
                    "description": "one result for each message, in order",
                    "items": {
                        "oneOf": [
                            _ref(Taken),
                            {"type": "object", "required": ["error"], "properties": {"error": _PROBLEM}},
                        ]
                    },
                }
            },
        },
    ]
}


def _described(what: str, body: dict[str, Any], answers: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The arguments that make FastAPI describe a body that it does not read itself (that would cost 3 us a message)."""
    return {
        "response_class": Response,
        "openapi_extra": {
            "requestBody": {"description": what, "required": True, "content": {"application/json": {"schema": body}}},
            "responses": {
                status: {"description": "Success", "content": {"application/json": {"schema": schema}}}
                for status, schema in answers.items()
            },
        },
    }


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
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        document = describe()
        document["components"]["schemas"].update(_schemas())
        return document

    app.openapi = openapi  # type: ignore[method-assign]  the way that FastAPI's guide shows
    return app


def routes(door: JsonDoor, keys: Directory, clock: Clock) -> APIRouter:
    """`POST /v1/messages` and `/v1/messages/quote`."""
    router = APIRouter(tags=["messages"])
    authenticated = Annotated[Principal, Depends(require_scope(keys, SCOPE, clock))]

    @router.post(PATH, status_code=202, **_described("One message, or a batch", _SEND, {"202": _SENT}))
    async def send_messages(request: Request, principal: authenticated, idempotency_key: KeyHeader = None) -> Response:
        """Send one message, or up to 1,000: then each has its own result, in order.

        A message that is answered with an id is durable, and will reach a final state. With an `Idempotency-Key` the
        same request may be made again for 24 h: it sends nothing twice and gets the same answer.
        """
        return await door.send(principal, await request.body(), idempotency_key)

    @router.post(f"{PATH}/quote", **_described("A content", _ref(QuoteRequest), {"200": _ref(Quote)}))
    async def quote_message(request: Request, _principal: authenticated) -> Response:
        """Count a content before it is sent: parts, encoding, what forces UCS-2 and the text that would cost less."""
        return Response(door.quote(await request.body()), media_type="application/json")

    return router


def _schemas() -> dict[str, Any]:
    """What the routes' descriptions refer to."""
    return msgspec.json.schema_components(_SHAPES, ref_template=_REF)[1]


def _busy(error: Exception) -> Problem:
    detail = "The platform cannot make messages durable just now; nothing was lost, try again."
    return Problem(503, busy_code(error), detail, headers=retry_after(RETRY_AFTER_S))
