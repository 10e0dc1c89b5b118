"""Each service's OpenAPI document as it serves it; nothing is connected."""

import asyncio
import importlib
import json
import tempfile
from pathlib import Path
from typing import Any, get_type_hints

from starlette.types import ASGIApp, Message, Scope

from carillon_cli.operators import TEMPLATE
from carillon_cli.services import SERVICES, package

# What settings need to have for every route to be there, whatever the environment says.
_ANY_WORD = "any"
_GIVEN = {"admin_token": "for-the-documents-only", "mongo_prefix": "", "number_hash_key": "for-the-documents-only" * 2}


def openapi_documents() -> dict[str, dict[str, Any]]:
    """By the service's name."""
    with tempfile.TemporaryDirectory() as folder:
        operators = Path(folder) / "operators.toml"
        operators.write_text(TEMPLATE.format(port=2776, password=_ANY_WORD), encoding="utf-8")
        return {service: _document(service, operators) for service in sorted(SERVICES)}


def _document(service: str, operators: Path) -> dict[str, Any]:
    build = importlib.import_module(f"{package(service)}.main").build
    settings = get_type_hints(build)["settings"]
    given: dict[str, Any] = {**_GIVEN, "operators_file": operators}
    known = {name: value for name, value in given.items() if name in settings.model_fields}
    app: ASGIApp = build(settings(**known)).app
    served: dict[str, Any] = json.loads(asyncio.run(_get(app, f"/openapi/{service}.json")))
    return served


async def _get(app: ASGIApp, path: str) -> bytes:
    """What the application answers, asked without a server."""
    pieces: list[bytes] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        assert message.get("status", 200) == 200, message
        pieces.append(message.get("body", b""))

    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
    }
    await app(scope, receive, send)
    return b"".join(pieces)
