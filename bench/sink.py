"""The client's side of the bench: takes callbacks, counts the receipts in them by status. `python bench/sink.py PORT`.

GET /count answers `{"handset": {"ids": n, "all": n}, ...}`: different messages, and all receipts; GET /reset forgets.
"""

import asyncio
import json
import re
import sys
from collections import defaultdict
from typing import cast

import uvloop

_QUERY = re.compile(rb"[?&]msgid=(\d+)&Status=([a-z+%0-9]+)")
_JSON = re.compile(rb'"id":"(\d+)"[^{}]*?"status":"(\w+)"')
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

seen: dict[str, set[bytes]] = defaultdict(set)
received: dict[str, int] = defaultdict(int)


class Sink(asyncio.Protocol):
    buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none of asyncio's, but works as one

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end]
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            size = int(length[1]) if length else 0
            if len(self.buffer) < end + 4 + size:
                return
            body, self.buffer = self.buffer[end + 4 : end + 4 + size], self.buffer[end + 4 + size :]
            self.transport.write(self.answer(head.split(b"\r\n", 1)[0], body))

    def answer(self, line: bytes, body: bytes) -> bytes:
        if b" /count " in line:
            counts = {word: {"ids": len(ids), "all": received[word]} for word, ids in seen.items()}
            text = json.dumps(counts).encode()
            return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text)
        if b" /reset " in line:
            seen.clear()
            received.clear()
            return _OK
        for identifier, status in _QUERY.findall(line) or _JSON.findall(body):
            word = status.decode().replace("%20", " ").replace("+", " ")
            seen[word].add(identifier)
            received[word] += 1
        return _OK


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port, backlog=512)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
