"""What the OpenAPI document says of bodies that FastAPI does not read itself: pydantic would cost 3 us a message."""

from typing import Any, Final

import msgspec
from fastapi import FastAPI, Response

from ingest.domain.quote import Quote
from ingest.domain.request import MessageRequest, QuoteRequest
from ingest.doors.json_door import Taken
from ingest.doors.json_reading import MAX_BATCH

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
    """The arguments of a route that has such a body."""
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


SEND: Final = _described("One message, or a batch", _SEND, {"202": _SENT})
QUOTE: Final = _described("A content", _ref(QuoteRequest), {"200": _ref(Quote)})


def complete(app: FastAPI) -> None:
    """Add the shapes that `SEND` and `QUOTE` refer to."""
    bare = app.openapi
    shapes = msgspec.json.schema_components(_SHAPES, ref_template=_REF)[1]

    def document() -> dict[str, Any]:
        found = bare()
        found["components"]["schemas"].update(shapes)
        return found

    setattr(app, "openapi", document)  # noqa: B010  FastAPI's way; a type checker calls it assigning to a method
