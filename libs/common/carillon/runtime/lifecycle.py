"""A process: parts that start in order and stop in the reverse order, whatever happens."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol

AsgiApp = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]


class Part(Protocol):
    """Something with a life of its own: a connection, a consumer, a server, a sweeper."""

    async def start(self) -> None:
        """Return when it works; raise when it can't."""
        ...

    async def stop(self) -> None:
        """Finish what is under way, then let go. Called once, also after a failed start of a later part."""
        ...


@dataclass
class Service:
    """What a service's `build(settings)` returns: its parts in starting order, and its HTTP application.

    The HTTP server is no part: who runs the service puts the application on a port (one process per service) or
    behind one front with the others (`carillon up`).
    """

    name: str
    app: AsgiApp
    port: int
    parts: Sequence[Part]
    problems: Callable[[], dict[str, str]] = field(default=dict)


async def start_all(parts: Sequence[Part], stack: AsyncExitStack) -> None:
    """Start parts in order; each is stopped by `stack`, in reverse, even when a later one fails to start."""
    for part in parts:
        await part.start()
        stack.push_async_callback(part.stop)


async def run_parts(parts: Sequence[Part], on_ready: Callable[[], None] | None = None) -> None:
    """Start everything, wait for SIGTERM or SIGINT, stop everything in reverse order."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as stack:
        await start_all(parts, stack)
        if on_ready is not None:
            on_ready()
        await stopping.wait()
