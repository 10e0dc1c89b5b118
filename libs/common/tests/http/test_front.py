"""One address: in this process, and over real sockets."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from carillon.http.addresses import client_address, parse_networks
from carillon.http.app import create_app
from carillon.http.front import Front
from carillon.http.server import HttpServer

LOCAL = parse_networks("127.0.0.1")


class Upstream:
    """A service's application that tells what it was sent."""

    def __init__(self, name: str) -> None:
        self.problems: dict[str, str] = {}
        self.left = asyncio.Event()
        router = APIRouter()
        router.add_api_route("/v1/messages", self.echo, methods=["GET", "POST"], response_model=None)
        router.add_api_route("/v1/messages/{rest:path}", self.echo, methods=["GET"], response_model=None)
        router.add_api_route("/v1/receipts/stream", self.stream, methods=["GET"], response_model=None)
        router.add_api_route("/v1/receipts/half", self.half, methods=["GET"], response_model=None)
        self.app = create_app(f"Carillon {name}", routers=[router], health=lambda: self.problems, body_cap_bytes=100)
        self.name = name

    async def echo(self, request: Request) -> Response:
        body = await request.body()
        told = {
            "service": self.name,
            "path": request.scope["raw_path"].decode(),
            "query": request.url.query,
            "headers": dict(request.headers),
            "client": client_address(request.scope, LOCAL),
            "body": body.decode(),
        }
        return JSONResponse(told, 202, headers={"X-Mine": "yes", "Connection": "x-hop", "X-Hop": "no"})

    async def stream(self) -> StreamingResponse:
        async def events() -> AsyncIterator[bytes]:
            try:
                for number in range(1000):
                    yield f"id: {number}\n\n".encode()
                    await asyncio.sleep(0.05)
            finally:
                self.left.set()

        return StreamingResponse(events(), media_type="text/event-stream")

    async def half(self) -> StreamingResponse:
        async def broken() -> AsyncIterator[bytes]:
            yield b"begun"
            await asyncio.sleep(0.05)
            raise ValueError("broken in the middle")

        return StreamingResponse(broken())


class City:
    """A front over two services, one in this process and one behind a socket."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.ingest = Upstream("ingest")
        self.receipt = Upstream("receipt")

    async def open(self) -> httpx.AsyncClient:
        self.receipt_server = await self._serve(self.receipt.app)
        target = f"http://127.0.0.1:{self.receipt_server.port}"
        front = Front({"ingest": self.ingest.app, "receipt": target}, trusted_proxies=parse_networks("192.0.2.1"))
        await front.start()
        self._stack.push_async_callback(front.stop)
        server = await self._serve(front)
        client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}")
        return await self._stack.enter_async_context(client)

    async def _serve(self, app: object) -> HttpServer:
        server = HttpServer(app, host="127.0.0.1", port=0, grace_s=1)  # type: ignore[arg-type]
        await server.start()
        self._stack.push_async_callback(server.stop)
        return server


@pytest.fixture
async def city() -> AsyncIterator[City]:
    async with AsyncExitStack() as stack:
        yield City(stack)


async def test_requests_go_where_the_table_says(city: City) -> None:
    client = await city.open()
    assert (await client.post("/v1/messages", content="{}")).json()["service"] == "ingest"
    assert (await client.get("/v1/messages")).json()["service"] == "receipt"


async def test_a_forwarded_request_arrives_as_it_was_sent(city: City) -> None:
    client = await city.open()
    answer = await client.get(
        "/v1/messages/a%2Fb%20c?number=%2B336&content=%E9+x",
        headers={"X-Forwarded-For": "6.6.6.6", "Connection": "x-private", "X-Private": "1", "X-Kept": "2", "TE": "x"},
    )
    told = answer.json()
    assert told["path"] == "/v1/messages/a%2Fb%20c"
    assert told["query"] == "number=%2B336&content=%E9+x"
    assert told["client"] == "127.0.0.1"
    assert told["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert told["headers"]["x-kept"] == "2"
    assert told["headers"]["host"] == str(client.base_url.netloc, "ascii")
    assert not {"x-private", "te"} & set(told["headers"])
    assert (answer.status_code, answer.headers["x-mine"]) == (202, "yes")
    assert "x-hop" not in answer.headers
    assert len(answer.headers.get_list("date")) == 1


async def test_a_body_is_streamed_up(city: City) -> None:
    client = await city.open()
    front_only = Front({"ingest": f"http://127.0.0.1:{city.receipt_server.port}"})
    await front_only.start()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    async with httpx.AsyncClient(transport=httpx.ASGITransport(front_only), base_url="http://test") as direct:
        for content in (chunks(), b"one two"):
            assert (await direct.post("/v1/messages", content=content)).json()["body"] == "one two"
        assert (await direct.post("/v1/messages", content=b"x" * 101)).status_code == 413
        assert (await direct.post("/v1/messages", content=b"")).json()["body"] == ""
    await front_only.stop()
    assert client is not None


async def test_events_come_one_by_one_and_a_leaving_reader_ends_the_stream(city: City) -> None:
    client = await city.open()
    began_s = time.monotonic()
    async with client.stream("GET", "/v1/receipts/stream") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if line == "id: 1":
                break
    assert time.monotonic() - began_s < 2
    await asyncio.wait_for(city.receipt.left.wait(), 2)


async def test_half_an_answer_is_not_made_whole(city: City) -> None:
    client = await city.open()
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get("/v1/receipts/half")


async def test_a_service_that_is_away_is_502(city: City) -> None:
    client = await city.open()
    await city.receipt_server.stop()
    answer = await client.get("/v1/messages")
    assert (answer.status_code, answer.json()["code"]) == (502, "unreachable")
    assert "retry-after" in answer.headers
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert list(answer.json()["problems"]) == ["receipt"]


async def test_health_of_the_front_is_that_of_all(city: City) -> None:
    client = await city.open()
    assert (await client.get("/livez")).status_code == 200
    assert (await client.get("/readyz")).status_code == 200
    city.ingest.problems["mongo"] = "away"
    city.receipt.problems["bus"] = "no live consumer"
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["problems"] == {"ingest": {"mongo": "away"}, "receipt": {"bus": "no live consumer"}}
    assert (await client.get("/livez")).status_code == 200
    assert "process_resident_memory_bytes" in (await client.get("/metrics")).text


async def test_what_is_nobodys_is_404_and_a_wrong_method_405(city: City) -> None:
    client = await city.open()
    for path in ("/", "/nowhere", "/v1/", "/admin/accounts", "/v1/messages/../../admin"):
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    answer = await client.put("/v1/messages")
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, HEAD, POST")


async def test_a_trusted_proxy_in_front_hands_its_client_down(city: City) -> None:
    await city.open()
    target = f"http://127.0.0.1:{city.receipt_server.port}"
    front = Front({"receipt": target}, trusted_proxies=LOCAL)
    await front.start()
    transport = httpx.ASGITransport(front, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        told = (await client.get("/v1/messages", headers={"X-Forwarded-For": "1.1.1.1, 198.51.100.7"})).json()
    await front.stop()
    assert told["headers"]["x-forwarded-for"] == "1.1.1.1, 198.51.100.7, 127.0.0.1"
    assert told["client"] == "198.51.100.7"


async def test_dispatch_in_this_process_costs_little() -> None:
    async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
        pass

    front = Front({"ingest": nothing, "receipt": nothing})
    scope = {"type": "http", "method": "GET", "path": "/v1/messages/247712361308164096"}
    best = 1.0
    for _ in range(5):
        began = time.thread_time()
        for _ in range(5000):
            await front(scope, None, None)  # type: ignore[arg-type]
        best = min(best, time.thread_time() - began)
    assert best / 5000 < 6e-6  # 1.5 us on an idle machine


async def test_other_kinds_of_connections_are_closed() -> None:
    sent: list[object] = []

    async def send(message: object) -> None:
        sent.append(message)

    front = Front({})
    await front({"type": "websocket"}, None, send)  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1000}]
