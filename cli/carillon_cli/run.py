"""Services in the foreground: one as its container runs it, or all in one process behind one address."""

import asyncio
import runpy

from carillon_cli.services import SERVICES, load


def run_one(name: str) -> None:
    """Run a service until SIGTERM or SIGINT, exactly as `python -m <service>` does."""
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def run_all(port: int) -> None:
    """Run all services in this process until SIGTERM or SIGINT, behind one front on `port`."""
    services = [load(name) for name in SERVICES]
    raise NotImplementedError(services, port, asyncio)
