"""The client's other side: keep-alive HTTP requests as fast as they are answered. `python bench/load.py JSON`.

The JSON has url (with {i}, an 8-digit number), method, headers, body (with {i}), n and connections. Prints JSON:
answered, wall_s, p50_ms, p99_ms, max_ms, and the first unexpected answer.
"""

import asyncio
import json
import sys
import time
from typing import Any, cast
from urllib.parse import urlsplit

import uvloop


class Connection(asyncio.Protocol):
    def __init__(self, load: "Load") -> None:
        self.load = load
        self.buffer = b""
        self.sent_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none of asyncio's, but works as one
        self.next()

    def next(self) -> None:
        request = self.load.request()
        if request is None:
            self.transport.close()
            return
        self.sent_s = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, separator, rest = self.buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        at = head.lower().find(b"content-length:")
        if len(rest) < int(head[at + 15 :].split(b"\r", 1)[0]):
            return
        self.buffer = b""
        self.load.answered(time.perf_counter() - self.sent_s, int(head[9:12]), rest)
        self.next()


class Load:
    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.number = job.get("start", 0)
        self.left = self.end = job["n"]
        self.end += self.number
        self.latencies_s: list[float] = []
        self.good = 0
        self.unexpected: str | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def request(self) -> bytes | None:
        if self.number >= self.end:
            return None
        number, self.number = f"{self.number:08d}", self.number + 1
        url = urlsplit(self.job["url"].replace("{i}", number))
        body: bytes = self.job.get("body", "").replace("{i}", number).encode()
        lines = [f"{self.job.get('method', 'GET')} {url.path}?{url.query} HTTP/1.1", f"Host: {url.netloc}"]
        lines += [f"{name}: {value}" for name, value in self.job.get("headers", {}).items()]
        if body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def answered(self, latency_s: float, status: int, body: bytes) -> None:
        self.latencies_s.append(latency_s)
        if status in (200, 202) and not body.startswith(b"KO"):
            self.good += 1
        else:
            self.unexpected = self.unexpected or f"{status} {body[:200]!r}"
        self.left -= 1
        if not self.left:
            self.done.set_result(None)


async def main(job: dict[str, Any]) -> None:
    load = Load(job)
    url = urlsplit(job["url"])
    began_s = time.perf_counter()
    for _ in range(job["connections"]):
        await asyncio.get_running_loop().create_connection(lambda: Connection(load), url.hostname, url.port)
    await load.done
    wall_s = time.perf_counter() - began_s
    ordered = sorted(load.latencies_s)
    at = {name: round(1000 * ordered[int(share * (len(ordered) - 1))], 2) for name, share in SHARES}
    print(json.dumps({"answered": load.good, "wall_s": round(wall_s, 3), **at, "unexpected": load.unexpected}))


SHARES = (("p50_ms", 0.5), ("p99_ms", 0.99), ("max_ms", 1.0))

if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
