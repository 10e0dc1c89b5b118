"""The HTTP server as a part."""

import asyncio
import logging
import signal
import socket
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from carillon.http.server import HttpServer


async def slow(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers after as many milliseconds as the path says."""
    await asyncio.sleep(int(scope["path"][1:]) / 1000)
    await PlainTextResponse(scope["client"][0])(scope, receive, send)


async def get(server: HttpServer, path: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.get(f"http://127.0.0.1:{server.port}{path}", headers=headers, timeout=10)


async def test_it_serves_on_a_free_port_and_leaves_signals_alone(caplog: pytest.LogCaptureFixture) -> None:
    before = signal.getsignal(signal.SIGTERM)
    caplog.set_level(logging.INFO)
    server = HttpServer(slow, host="127.0.0.1", port=0)
    await server.start()
    answer = await get(server, "/0", **{"X-Forwarded-For": "6.6.6.6"})
    assert answer.text == "127.0.0.1"
    assert "server" not in answer.headers
    assert signal.getsignal(signal.SIGTERM) is before
    await server.stop()
    with pytest.raises(httpx.ConnectError):
        await get(server, "/0")
    assert not [record for record in caplog.records if record.name == "uvicorn.access"]


async def test_requests_under_way_end_before_the_server_does() -> None:
    server = HttpServer(slow, host="127.0.0.1", port=0, grace_s=5)
    await server.start()
    under_way = asyncio.create_task(get(server, "/500"))
    await asyncio.sleep(0.2)
    await server.stop()
    assert under_way.done()
    assert (await under_way).status_code == 200


async def test_what_does_not_end_is_cut_after_the_grace() -> None:
    server = HttpServer(slow, host="127.0.0.1", port=0, grace_s=1)
    await server.start()
    endless = asyncio.create_task(get(server, "/60000"))
    await asyncio.sleep(0.2)
    began_s = time.monotonic()
    await server.stop()
    assert time.monotonic() - began_s < 3
    assert (await endless).status_code == 500


async def test_an_open_event_stream_does_not_hold_up_the_stop() -> None:
    """Its client comes again with Last-Event-ID; whatever else streams is an answer, and is let finish."""
    left = asyncio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        async def beats() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b": \n\n"
                    await asyncio.sleep(60)
            finally:
                left.set()

        async def rows() -> AsyncIterator[bytes]:
            for _ in range(10):
                yield b"row\n"
                await asyncio.sleep(0.05)

        kind = "text/csv" if scope["path"] == "/rows" else "text/event-stream"
        answer = StreamingResponse(rows() if scope["path"] == "/rows" else beats(), media_type=kind)
        await answer(scope, receive, send)

    server = HttpServer(endless, host="127.0.0.1", port=0, grace_s=10)
    await server.start()
    events = asyncio.create_task(get(server, "/events"))
    file = asyncio.create_task(get(server, "/rows"))
    await asyncio.sleep(0.2)
    began_s = time.monotonic()
    await server.stop()
    assert time.monotonic() - began_s < 3
    assert left.is_set()
    assert (await file).text == "row\n" * 10
    with pytest.raises(httpx.RemoteProtocolError):
        await events


async def test_a_taken_port_is_an_error_that_can_be_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = HttpServer(slow, host="127.0.0.1", port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            await server.start()
    await server.stop()


async def test_it_starts_on_ipv6() -> None:
    server = HttpServer(slow, host="::1", port=0)
    try:
        await server.start()
    except OSError:
        pytest.skip("this machine has no IPv6")
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"http://[::1]:{server.port}/0")).text == "::1"
    await server.stop()
