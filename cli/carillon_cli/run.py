"""Services in the foreground: one as its container runs it, or several behind one address."""

import runpy
from collections.abc import Mapping, Sequence

import uvloop

from carillon.http.addresses import parse_networks
from carillon.http.front import Front
from carillon.http.server import HttpServer
from carillon.runtime.garbage import calm
from carillon.runtime.lifecycle import Part, run_parts
from carillon.runtime.settings import CarillonSettings
from carillon.telemetry.start import start_telemetry
from carillon.telemetry.watch import Watch
from carillon_cli.services import SERVICES, load, package


def run_one(name: str) -> None:
    """Run a service until SIGTERM or SIGINT, exactly as `python -m <service>` does."""
    runpy.run_module(package(name), run_name="__main__", alter_sys=True)


def run_front(here: Sequence[str], elsewhere: Mapping[str, str], port: int) -> None:
    """Run the services `here` in this process, behind a front that also speaks for those `elsewhere` (base URLs)."""
    uvloop.run(_run_front(here, elsewhere, port))


async def _run_front(here: Sequence[str], elsewhere: Mapping[str, str], port: int) -> None:
    settings = CarillonSettings()
    services = {name: load(name) for name in SERVICES if name in here}
    apps = {name: service.app for name, service in services.items()}
    front = Front({**apps, **elsewhere}, trusted_proxies=parse_networks(settings.trusted_proxies))
    name = here[0] if len(here) == 1 else "carillon"
    telemetry = start_telemetry(
        name,
        log_level=settings.log_level,
        log_format=settings.log_format,
        otlp_endpoint=settings.otlp_endpoint,
        trace_ratio=settings.trace_ratio,
    )
    server = HttpServer(front, host=settings.host, port=port, grace_s=settings.grace_s)
    # the server starts last and stops first: what it serves needs everything else
    watch = Watch(name, {name: service.problems for name, service in services.items()})
    parts: list[Part] = [watch, front, *(part for service in services.values() for part in service.parts), server]
    try:
        await run_parts(parts, on_ready=calm)
    finally:
        telemetry.stop()
