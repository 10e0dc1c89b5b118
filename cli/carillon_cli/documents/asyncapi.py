"""The AsyncAPI 3.0 document: every event on the exchange, and the receipt stream.

https://www.asyncapi.com/docs/reference/specification/v3.0.0
"""

import json
from typing import Any

import msgspec

from carillon.bus.topology import EXCHANGE, RECEIPT_STREAM, STREAM_MAX_AGE
from carillon.events import stream
from carillon.events.base import LANES, MAX_RECORDS
from carillon.events.catalogue import CATALOGUE, MESSAGE_ROUTED, Event

_REF = "#/components/schemas/{name}"
_STREAM = "receipts"
_INFO = {
    "title": "Carillon: what is said on the bus",
    "version": "1",
    "description": (
        "Analysts read the stream `carillon.receipts`. The events on the exchange are between Carillon's services:"
        " they may change with any release, the stream only with a new version of its event type."
    ),
    "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
}


def asyncapi_document() -> dict[str, Any]:
    """From the catalogue of events, the topology and the records."""
    records = [event.record for event in CATALOGUE]
    _, schemas = msgspec.json.schema_components([*records, stream.CloudEvent], ref_template=_REF)
    return {
        "asyncapi": "3.0.0",
        "info": _INFO,
        "defaultContentType": "application/json",
        "servers": {"broker": {"host": "localhost:5672", "protocol": "amqp", "description": "RabbitMQ"}},
        "channels": {_STREAM: _stream_channel(), **{_id(event): _channel(event) for event in CATALOGUE}},
        "operations": {**_stream_operations(), **_operations()},
        "components": {
            "messages": {_STREAM: _stream_message(), **{_id(event): _message(event) for event in CATALOGUE}},
            "schemas": schemas,
        },
    }


def _stream_channel() -> dict[str, Any]:
    return {
        "address": RECEIPT_STREAM,
        "title": "Receipts",
        "description": (
            f"A RabbitMQ stream, kept for {STREAM_MAX_AGE}: each status change of each message, once or, seldom, more"
            " often. Consume it with the argument `x-stream-offset`: first, last, next, a time or the number of an"
            " entry. Reading takes nothing away."
        ),
        "messages": {_STREAM: {"$ref": f"#/components/messages/{_STREAM}"}},
        "bindings": {
            "amqp": {
                "is": "queue",
                "queue": {"name": RECEIPT_STREAM, "durable": True, "exclusive": False, "autoDelete": False},
                "bindingVersion": "0.3.0",
            }
        },
    }


def _stream_message() -> dict[str, Any]:
    return {
        "name": stream.EVENT_TYPE,
        "title": "A batch of status changes",
        "summary": "CloudEvents 1.0, structured JSON",
        "contentType": stream.CONTENT_TYPE,
        "payload": {"$ref": _REF.format(name=stream.CloudEvent.__name__)},
        "examples": [{"name": "delivered", "payload": _plain(stream.EXAMPLE)}],
    }


def _stream_operations() -> dict[str, Any]:
    return {
        "receiveReceipts": {
            "action": "receive",
            "title": "Read the receipt stream",
            "channel": {"$ref": f"#/channels/{_STREAM}"},
            "tags": [{"name": "analysts"}],
        },
        "sendReceipts": {
            "action": "send",
            "title": "Append to the receipt stream",
            "channel": {"$ref": f"#/channels/{_STREAM}"},
            "tags": [{"name": "receipt"}],
        },
    }


def _channel(event: Event) -> dict[str, Any]:
    places = {"operator": {"description": "operator's name in the operators file"}} if event is MESSAGE_ROUTED else {}
    lanes = {"lane": {"enum": list(LANES)}} if event.has_lanes else {}
    channel: dict[str, Any] = {
        "address": ".".join([event.name, *(f"{{{name}}}" for name in (*places, *lanes))]),
        "messages": {_id(event): {"$ref": f"#/components/messages/{_id(event)}"}},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": EXCHANGE, "type": "topic", "durable": True, "autoDelete": False},
                "bindingVersion": "0.3.0",
            }
        },
    }
    return {**channel, "parameters": {**places, **lanes}} if places or lanes else channel


def _message(event: Event) -> dict[str, Any]:
    summary, _, more = (event.record.__doc__ or "").partition("\n")
    message: dict[str, Any] = {
        "name": event.name,
        "summary": summary,
        "contentType": "application/json",
        "payload": {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_RECORDS,
            "items": {"$ref": _REF.format(name=event.record.__name__)},
        },
        "examples": [{"payload": [_plain(event.example)]}],
    }
    text = " ".join(more.split())
    return {**message, "description": text} if text else message


def _operations() -> dict[str, Any]:
    operations: dict[str, Any] = {}
    for event in CATALOGUE:
        for action, services in (("send", event.said_by), ("receive", event.heard_by)):
            operations[f"{action}_{_id(event)}"] = {
                "action": action,
                "channel": {"$ref": f"#/channels/{_id(event)}"},
                "tags": [{"name": service} for service in services],
            }
    return operations


def _id(event: Event) -> str:
    """As AsyncAPI names components: no dots."""
    return event.name.replace(".", "_")


def _plain(record: msgspec.Struct) -> Any:
    """As it is on the wire."""
    return json.loads(msgspec.json.encode(record))
