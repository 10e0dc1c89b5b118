"""The OpenAPI description of the JSON API, from the shapes that msgspec reads and writes."""

from typing import Any, Final

import msgspec
from fastapi import FastAPI

from carillon.http.problem import RESPONSES
from ingest.domain.quote import Quote
from ingest.domain.request import MessageRequest, QuoteRequest
from ingest.doors.json_door import PATH, QUOTE_PATH, Taken
from ingest.doors.json_reading import MAX_BATCH

Schema = dict[str, Any]

_REF: Final = "#/components/schemas/{name}"
_SHAPES: Final = (MessageRequest, QuoteRequest, Taken, Quote)
_PROBLEM: Final[Schema] = {"$ref": _REF.format(name="Problem")}
_BEARER: Final[Schema] = {"type": "http", "scheme": "bearer", "description": "API key with the scope messages"}
_IDEMPOTENCY_KEY: Final[Schema] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "1 to 255 printable ASCII characters, valid 24 h: the same request again sends nothing twice",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}


def complete(app: FastAPI) -> None:
    """Add the JSON API to what the application's document says."""
    bare = app.openapi
    shapes = msgspec.json.schema_components(_SHAPES, ref_template=_REF)[1]

    def document() -> dict[str, Any]:
        found = bare()
        found["components"]["schemas"].update(shapes)
        found["components"]["securitySchemes"] = {"apiKey": _BEARER}
        found["paths"].update({PATH: {"post": _send()}, QUOTE_PATH: {"post": _quote()}})
        return found

    setattr(app, "openapi", document)  # noqa: B010  FastAPI's way; a type checker calls it assigning to a method


def _send() -> Schema:
    described = _operation("send_messages", "Send messages", _message_or_batch(), "202", _taken_or_results())
    described["description"] = (
        "One message, or up to 1,000: then each has a result of its own, in order. A message that is answered with an "
        "id is durable and will reach a final state."
    )
    described["parameters"] = [_IDEMPOTENCY_KEY]
    return described


def _quote() -> Schema:
    described = _operation("quote_message", "Quote a content", _ref(QuoteRequest), "200", _ref(Quote))
    described["description"] = "Parts, encoding, the characters that force UCS-2, and the text that would cost less."
    return described


def _operation(name: str, summary: str, body: Schema, status: str, answer: Schema) -> Schema:
    return {
        "operationId": name,
        "summary": summary,
        "tags": ["messages"],
        "security": [{"apiKey": []}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            status: {"description": "Success", "content": {"application/json": {"schema": answer}}},
            **RESPONSES,
        },
    }


def _message_or_batch() -> Schema:
    messages = {"type": "array", "items": _ref(MessageRequest), "minItems": 1, "maxItems": MAX_BATCH}
    return {"oneOf": [_ref(MessageRequest), _object(additionalProperties=False, messages=messages)]}


def _taken_or_results() -> Schema:
    result = {"oneOf": [_ref(Taken), _object(error=_PROBLEM)]}
    results = {"type": "array", "description": "one for each message, in order", "items": result}
    return {"oneOf": [_ref(Taken), _object(results=results)]}


def _object(*, additionalProperties: bool = True, **properties: Schema) -> Schema:  # noqa: N803  JSON Schema's word
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": additionalProperties,
    }


def _ref(shape: type[msgspec.Struct]) -> Schema:
    return {"$ref": _REF.format(name=shape.__name__)}
