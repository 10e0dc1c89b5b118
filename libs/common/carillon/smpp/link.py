"""One TCP or TLS connection that carries PDUs: reads, writes once a loop turn, closes."""

import asyncio
import logging
import socket
from typing import cast

from carillon.smpp.constants import Command, Status
from carillon.smpp.framing import HEADER, HEADER_BYTES, Framer, FramingError

log = logging.getLogger(__name__)

_CLOSE_TIMEOUT_S = 5.0
"""A peer that does not take our last bytes within this is cut off."""


class Link(asyncio.Protocol):
    """Base of `Session`, which fills in the hooks. All is callbacks: no task, future or timer per PDU."""

    def __init__(self) -> None:
        self.peer = ""
        """Its address, `host:port`."""
        self.closed = False
        """Closing or closed: nothing more is read, written or promised."""
        self._loop = asyncio.get_running_loop()
        self._gone: asyncio.Future[str] = self._loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._framer = Framer()
        self._out: list[bytes] = []
        self._flush_due = False
        self._writable = True
        self._heard_s = self._loop.time()
        self._reason = ""
        self._cut_off: asyncio.TimerHandle | None = None

    # -- hooks ----------------------------------------------------------------------------------------------

    def _receive(self, command_id: int, status: int, sequence: int, body: bytes) -> None:
        """One PDU came."""
        raise NotImplementedError

    def _after_read(self) -> None:
        """All PDUs of a segment were received."""

    def _flow_changed(self) -> None:
        """The peer stopped or started to read what we write, see `_writable`."""

    def _lost(self, reason: str) -> None:
        """The connection is gone."""

    # -- asyncio's calls ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        address = transport.get_extra_info("peername")
        self.peer = f"{address[0]}:{address[1]}" if address else ""

    def data_received(self, data: bytes) -> None:
        """Handle all PDUs of a segment in order, then write once all that they caused."""
        self._heard_s = self._loop.time()
        self._flush_due = True
        broken: FramingError | None = None
        try:
            frames = self._framer.feed(data)
        except FramingError as error:
            frames, broken = error.frames, error
        for command_id, status, sequence, body in frames:
            if self.closed:
                break
            try:
                self._receive(command_id, status, sequence, body)
            except Exception:
                log.exception("handling command 0x%08x of %s failed", command_id, self)
        if broken is not None and not self.closed:
            self.send(Command.GENERIC_NACK, Status.INVCMDLEN, 0)
            self.close(f"framing: {broken}")
        self._after_read()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Gone, by us, by the peer or by the network."""
        self.closed = True
        if self._cut_off is not None:
            self._cut_off.cancel()
        reason = self._reason or (str(exc) or type(exc).__name__ if exc else "closed by the peer")
        self._lost(reason)
        self._gone.set_result(reason)

    def pause_writing(self) -> None:
        """The peer does not read what we wrote."""
        self._writable = False
        self._flow_changed()

    def resume_writing(self) -> None:
        """It does again."""
        self._writable = True
        self._flow_changed()

    # -- writing --------------------------------------------------------------------------------------------

    def send(self, command_id: int, status: int, sequence: int, body: bytes = b"") -> None:
        """Write a PDU with the others of this loop turn."""
        self._out.append(HEADER.pack(HEADER_BYTES + len(body), command_id, status, sequence) + body)
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        if self._out:
            if self._transport is not None and not self.closed:
                self._transport.write(b"".join(self._out))
            self._out.clear()

    def close(self, reason: str) -> None:
        """Write what is waiting, then close; `reason` goes to the log and to whoever asked to be told."""
        if self.closed or self._transport is None:
            return
        self._flush()
        self.closed = True
        self._reason = reason
        self._transport.close()
        self._cut_off = self._loop.call_later(_CLOSE_TIMEOUT_S, self.abort)

    def abort(self) -> None:
        """Cut the connection: what the peer did not take by now it will not get."""
        if self._transport is not None:
            self._transport.abort()

    async def wait_closed(self) -> str:
        """Wait until the connection is gone; the reason."""
        return await asyncio.shield(self._gone)
