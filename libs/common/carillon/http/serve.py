"""A service as a process of its own: settings, telemetry, parts, HTTP server, until it is told to stop."""

from collections.abc import Callable
from typing import TypeVar

import uvloop

from carillon.http.server import HttpServer
from carillon.runtime.garbage import calm
from carillon.runtime.lifecycle import Service, run_parts
from carillon.runtime.settings import CarillonSettings
from carillon.telemetry.start import start_telemetry
from carillon.telemetry.watch import Watch

S = TypeVar("S", bound=CarillonSettings)


def run_service(build: Callable[[S], Service], settings_type: type[S]) -> None:
    """Read the settings, build the service, and run it until SIGTERM or SIGINT.

    The HTTP server starts last and stops first: requests under way end while everything they need still works.
    """
    settings = settings_type()

    async def run() -> None:
        service = build(settings)
        telemetry = start_telemetry(
            service.name,
            log_level=settings.log_level,
            log_format=settings.log_format,
            otlp_endpoint=settings.otlp_endpoint,
            trace_ratio=settings.trace_ratio,
        )
        server = HttpServer(service.app, host=settings.host, port=service.port, grace_s=settings.grace_s)
        try:
            watch = Watch(service.name, {service.name: service.problems})
            await run_parts([watch, *service.parts, server], on_ready=calm)
        finally:
            telemetry.stop()

    uvloop.run(run())
