"""The HTTP application of a service: FastAPI behind the gate, with problems, health and metrics."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from carillon.http.errors import Translations, exception_handlers
from carillon.http.gate import Gate
from carillon.http.problem import RESPONSES, SCHEMA
from carillon.telemetry.exposition import CONTENT_TYPE, render_metrics

MIB = 1 << 20


class App(FastAPI):
    """FastAPI behind a gate, so that what goes wrong in FastAPI itself is caught too."""

    gate: Gate | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve through the gate."""
        if self.gate is None:
            await super().__call__(scope, receive, send)
        else:
            await self.gate(scope, receive, send)

    async def inside(self, scope: Scope, receive: Receive, send: Send) -> None:
        """FastAPI itself; the gate's destination."""
        await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, with the schema of problems."""
        document = super().openapi()
        document.setdefault("components", {}).setdefault("schemas", {})["Problem"] = SCHEMA
        return document


def create_app(
    title: str,
    *,
    routers: Sequence[APIRouter],
    health: Callable[[], dict[str, str]] = dict,
    version: str = "1",
    service: str | None = None,
    doors: Mapping[str, ASGIApp] | None = None,
    body_cap_bytes: int = MIB,
    body_caps: Mapping[str, int] | None = None,
    translations: Translations | None = None,
    openapi_path: str | None = None,
) -> FastAPI:
    """Build a service's application.

    `service` (the last word of the title by default) labels metrics. `health` returns what keeps the service from
    being ready, by name; empty: ready. `doors` are bare ASGI applications by path prefix (in any case), reached without
    FastAPI's routing. `body_cap_bytes`, and `body_caps` by path prefix, bound bodies: 413 beyond. `translations` tell
    which problem stands for which of the service's errors. The OpenAPI document is at `/openapi/<service>.json`.
    """
    name = service or title.rpartition(" ")[2].lower()
    known = translations or {}
    app = App(
        title=title,
        version=version,
        openapi_url=openapi_path or f"/openapi/{name}.json",
        docs_url=None,
        redoc_url=None,
        responses=RESPONSES,
        exception_handlers=exception_handlers(known),
        # FastAPI's own spans would hold query strings: numbers, texts and passwords of the legacy door.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.include_router(_operational(health))
    for router in routers:
        app.include_router(router)
    app.gate = Gate(
        app.inside,
        service=name,
        doors=doors or {},
        body_cap_bytes=body_cap_bytes,
        body_caps=body_caps or {},
        translations=known,
    )
    return app


def _operational(health: Callable[[], dict[str, str]]) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    async def livez(_request: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def readyz(_request: Request) -> Response:
        return readiness(health())

    async def metrics(_request: Request) -> Response:
        return Response(render_metrics(), media_type=CONTENT_TYPE)

    router.add_route("/livez", livez, methods=["GET"])
    router.add_route("/readyz", readyz, methods=["GET"])
    router.add_route("/metrics", metrics, methods=["GET"])
    return router


def readiness(problems: Mapping[str, Any]) -> Response:
    """200 when nothing is wrong, else 503 and what is wrong by name."""
    if problems:
        return JSONResponse({"status": "unready", "problems": dict(problems)}, 503)
    return JSONResponse({"status": "ready"})
