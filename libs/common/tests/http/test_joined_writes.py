"""What is written within one turn of the loop leaves together, in order, and before a close."""

import asyncio

from carillon.http.joined_writes import JoinedWrites


class Wire(asyncio.Transport):
    """Notes what reaches it."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))

    def is_closing(self) -> bool:
        return b"closed" in self.sent

    def close(self) -> None:
        self.sent.append(b"closed")


async def test_one_turn_is_one_write() -> None:
    wire = Wire()
    joined = JoinedWrites(wire, asyncio.get_running_loop())
    joined.write(b"head ")
    joined.write(b"body")
    assert wire.sent == []
    await asyncio.sleep(0)
    joined.write(b"next")
    await asyncio.sleep(0)
    assert wire.sent == [b"head body", b"next"]


async def test_a_close_comes_after_what_was_written() -> None:
    wire = Wire()
    joined = JoinedWrites(wire, asyncio.get_running_loop())
    joined.write(b"last")
    joined.close()
    joined.write(b"too late")
    await asyncio.sleep(0)
    assert wire.sent == [b"last", b"closed"]


async def test_everything_else_is_the_transports_own() -> None:
    assert JoinedWrites(Wire(), asyncio.get_running_loop()).is_closing() is False
