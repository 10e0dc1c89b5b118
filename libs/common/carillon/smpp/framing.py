"""From a stream of bytes to PDUs, by command_length alone (SMPP 3.4, 3.2 and 5.1.1)."""

import struct

HEADER_BYTES = 16
MAX_PDU_BYTES = 70_000
"""Room for a 64 kB message_payload and its company; more is a lie or an attack."""

HEADER = struct.Struct(">IIII")
"""command_length, command_id, command_status, sequence_number."""

Frame = tuple[int, int, int, bytes]
"""command_id, command_status, sequence_number, body."""


class FramingError(Exception):
    """command_length cannot be true, so nothing after it can be trusted. `frames` came whole before it."""

    def __init__(self, length: int, frames: list[Frame]) -> None:
        super().__init__(f"command_length {length}")
        self.frames = frames


class Framer:
    """Cuts what TCP brings into PDUs; holds at most one that is not whole, and grows only by what came."""

    __slots__ = ("_held", "_needed")

    def __init__(self) -> None:
        self._held = bytearray()
        self._needed = 0

    def feed(self, data: bytes) -> list[Frame]:
        """Take a segment, give the PDUs that it completes; `FramingError` when the stream is lost."""
        if self._held:
            self._held += data
            if len(self._held) < self._needed:
                return []
            data = bytes(self._held)
            self._held.clear()
        frames: list[Frame] = []
        start, end = 0, len(data)
        while end - start >= HEADER_BYTES:
            length, command_id, status, sequence = HEADER.unpack_from(data, start)
            if not HEADER_BYTES <= length <= MAX_PDU_BYTES:
                raise FramingError(length, frames)
            stop = start + length
            if stop > end:
                break
            frames.append((command_id, status, sequence, data[start + HEADER_BYTES : stop]))
            start = stop
        if start < end:
            self._hold(data[start:], frames)
        return frames

    def _hold(self, rest: bytes, frames: list[Frame]) -> None:
        self._needed = 4
        if len(rest) >= 4:
            self._needed = int.from_bytes(rest[:4], "big")
            if not HEADER_BYTES <= self._needed <= MAX_PDU_BYTES:
                raise FramingError(self._needed, frames)
        self._held += rest


def frame(command_id: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    """One whole PDU."""
    return HEADER.pack(HEADER_BYTES + len(body), command_id, status, sequence) + body
