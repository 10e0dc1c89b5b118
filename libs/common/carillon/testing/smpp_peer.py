"""A peer that speaks SMPP octet by octet, to do to a session what real peers do. Shares no code with it."""

import asyncio
import struct
from collections.abc import Callable
from typing import Self

_HEADER = struct.Struct(">IIII")
_READ_TIMEOUT_S = 5.0


async def until(condition: Callable[[], object], timeout_s: float = _READ_TIMEOUT_S) -> None:
    """Wait until it is so; `TimeoutError` when it does not become so."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.002)


class RawPeer:
    """One end of a connection; a PDU is (command_id, command_status, sequence, body)."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int) -> Self:
        """Connect to a server on this machine."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    @staticmethod
    def pdu(command_id: int, status: int = 0, sequence: int = 1, body: bytes = b"") -> bytes:
        """The octets of a PDU."""
        return _HEADER.pack(16 + len(body), command_id, status, sequence) + body

    def send(self, command_id: int, status: int = 0, sequence: int = 1, body: bytes = b"") -> None:
        """Send a PDU."""
        self.writer.write(self.pdu(command_id, status, sequence, body))

    async def read(self, timeout_s: float = _READ_TIMEOUT_S) -> tuple[int, int, int, bytes]:
        """The next PDU; `IncompleteReadError` when the other end closed."""
        async with asyncio.timeout(timeout_s):
            length, command_id, status, sequence = _HEADER.unpack(await self.reader.readexactly(16))
            return command_id, status, sequence, await self.reader.readexactly(length - 16)

    async def at_end(self) -> bool:
        """Wait until the other end closed; False when something else came."""
        async with asyncio.timeout(_READ_TIMEOUT_S):
            return await self.reader.read(1) == b""

    async def bind(self, command_id: int = 9, system_id: bytes = b"raw", password: bytes = b"secret") -> int:
        """Bind (as transceiver); the status of the answer."""
        self.send(command_id, 0, 1, system_id + b"\0" + password + b"\0\0\x34\0\0\0")
        answer = await self.read()
        assert answer[0] == command_id | 0x80000000
        assert answer[2] == 1
        return answer[1]

    def close(self) -> None:
        """Close."""
        self.writer.close()


class RawSmsc:
    """Listens on a free port of this machine; `accept` gives who connected, in order."""

    def __init__(self) -> None:
        self.port = 0
        self._server: asyncio.Server | None = None
        self._peers: asyncio.Queue[RawPeer] = asyncio.Queue()
        self._open: list[RawPeer] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for peer in self._open:
            peer.close()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = RawPeer(reader, writer)
        self._open.append(peer)
        self._peers.put_nowait(peer)

    async def accept(self) -> RawPeer:
        """The next connection."""
        async with asyncio.timeout(_READ_TIMEOUT_S):
            return await self._peers.get()

    async def accept_bind(self) -> RawPeer:
        """The next connection, its bind answered ok."""
        peer = await self.accept()
        command_id, _, sequence, _ = await peer.read()
        assert command_id in (1, 2, 9)
        peer.send(command_id | 0x80000000, 0, sequence, b"rawsmsc\0")
        return peer
