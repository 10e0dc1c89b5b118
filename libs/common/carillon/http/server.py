"""An HTTP server as a part of a process: uvicorn, without its signals, its exit calls and its logs of each request."""

import asyncio
import contextlib
import socket
from collections.abc import Generator

import uvicorn
from starlette.types import ASGIApp

from carillon.http.joined_writes import JoiningProtocol

_KEEP_ALIVE_S = 75
_BACKLOG = 2048


class HttpServer:
    """Serves `app` on `host` and `port` (0: a free one, see `port` after the start).

    `stop` takes no new connection, ends event streams, lets requests end for at most `grace_s` seconds, then cancels
    what is left. Addresses are the peer's own: `X-Forwarded-For` is for `addresses.client_address`.
    """

    def __init__(self, app: ASGIApp, *, host: str, port: int, grace_s: float = 10.0) -> None:
        self._host = host
        self._app = app
        self._grace_s = grace_s
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None
        self.port = port

    async def start(self) -> None:
        """Listen; `OSError` when the port is taken."""
        listener = _listen(self._host, self.port)
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            loop="none",
            http=JoiningProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=max(1, round(self._grace_s)),
            reset_contextvars=True,
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve([listener]), name=f"http :{self.port}")
        while not self._server.started:
            if self._task.done():
                self._task.result()
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Close gracefully."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals are the process's affair."""
        yield


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    listener.setblocking(False)
    return listener
