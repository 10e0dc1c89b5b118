"""The operator's side: a server that clients bind to (SMPP 3.4, 2.2)."""

import asyncio
import ssl as tls
from dataclasses import dataclass

from carillon.smpp.server_session import Handlers, ServerSession, SessionSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings(SessionSettings):
    """Where to listen, and the rules for every session."""

    host: str = "127.0.0.1"
    port: int = 2775
    """0: any free one, see `SmppServer.port`."""
    ssl: tls.SSLContext | None = None
    max_sessions: int = 1_000
    """Connections over it are closed at once."""


class SmppServer:
    """Listens; hands everything that bound clients send to `handlers`."""

    def __init__(self, settings: ServerSettings, handlers: Handlers) -> None:
        self.settings = settings
        self.handlers = handlers
        self.sessions: set[ServerSession] = set()
        """Every open connection, bound or not."""
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port that it really listens on."""
        if self._server is None:
            return self.settings.port
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen; `OSError` when the address is taken."""
        self._server = await asyncio.get_running_loop().create_server(
            self._session, self.settings.host, self.settings.port, ssl=self.settings.ssl, backlog=256
        )

    def _session(self) -> ServerSession:
        full = len(self.sessions) >= self.settings.max_sessions
        return ServerSession(self.settings, self.handlers, self.sessions, full)

    async def stop(self, timeout_s: float = 5.0) -> None:
        """Listen no more; answer what is open, unbind every client, close, all within about `timeout_s`."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await asyncio.gather(*(session.unbind_and_close(timeout_s) for session in tuple(self.sessions)))
