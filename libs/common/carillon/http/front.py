"""One address for all services: each request goes to the service that the path table names."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from carillon.http.addresses import Networks
from carillon.http.app import readiness
from carillon.http.errors import problem_response
from carillon.http.forward import Forward
from carillon.http.paths import allowed_methods, service_of
from carillon.http.problem import Problem, not_found
from carillon.telemetry.exposition import CONTENT_TYPE, render_metrics

_PROBE_TIMEOUT_S = 5.0


class Front:
    """ASGI application and part. `targets` are services by name: applications of this process, or base URLs.

    `/livez` and `/readyz` speak for all targets, `/metrics` for this process. `X-Forwarded-For` is passed on only from
    `trusted_proxies`. In this process a request costs 1 us more.
    """

    def __init__(self, targets: Mapping[str, ASGIApp | str], *, trusted_proxies: Networks = ()) -> None:
        self._targets: dict[str | None, ASGIApp] = {
            name: Forward(target, trusted_proxies) if isinstance(target, str) else target
            for name, target in targets.items()
        }

    async def start(self) -> None:
        """Open connections to the targets that are elsewhere."""
        for target in self._targets.values():
            if isinstance(target, Forward):
                await target.start()

    async def stop(self) -> None:
        """Close them."""
        for target in self._targets.values():
            if isinstance(target, Forward):
                await target.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            target = self._targets.get(service_of(scope["method"], scope["path"]))
            if target is not None:
                await target(scope, receive, send)
            else:
                await (await self._own(scope))(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})

    async def _own(self, scope: Scope) -> Response:
        path, method = scope["path"], scope["method"]
        if method in ("GET", "HEAD"):
            if path in ("/livez", "/readyz"):
                return readiness(await self._problems(path))
            if path == "/metrics":
                return Response(render_metrics(), media_type=CONTENT_TYPE)
        allowed = allowed_methods(path)
        if allowed and method not in allowed:
            allow = {"Allow": ", ".join(sorted(allowed))}
            return problem_response(Problem(405, "method_not_allowed", headers=allow))
        return problem_response(not_found("There is nothing at this path."))

    async def _problems(self, path: str) -> dict[str, Any]:
        """What each target says is wrong, by target."""
        said = await asyncio.gather(*(_probe(target, path) for target in self._targets.values()))
        return {str(name): problem for name, problem in zip(self._targets, said, strict=True) if problem}


async def _probe(target: ASGIApp, path: str) -> Any:
    """Ask a target for its health; what is wrong there, or None."""
    status, body = 0, bytearray()
    scope: Scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": [], "client": None,
        "server": None,
    }  # fmt: skip

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            body.extend(message.get("body", b""))

    try:
        await asyncio.wait_for(target(scope, receive, send), _PROBE_TIMEOUT_S)
    except Exception as error:  # noqa: BLE001  whatever it is, the target isn't well
        return type(error).__name__
    if status == 200:
        return None
    try:
        said = json.loads(bytes(body))
    except ValueError:
        said = {}
    return said.get("problems") or said.get("detail") or f"status {status}"
