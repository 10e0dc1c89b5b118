"""`python -m simulator`, as benches and other tests start it."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass

import httpx
import pytest

from simulator.testing import Client

START_S = 20


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    smpp_port: int
    url: str


def free_port() -> int:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def start(smpp_port: int, http_port: int) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "CARILLON_SIMULATOR_SMPP_PORT": str(smpp_port),
        "CARILLON_SIMULATOR_PORT": str(http_port),
        "CARILLON_SIMULATOR_RECEIPT_DELAY_S": "0",
    }
    return subprocess.Popen([sys.executable, "-m", "simulator"], env=environment)


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    smpp_port, http_port = free_port(), free_port()
    process = start(smpp_port, http_port)
    url = f"http://127.0.0.1:{http_port}"
    async with asyncio.timeout(START_S), httpx.AsyncClient(base_url=url) as http:
        while not await is_ready(http):
            assert process.poll() is None
            await asyncio.sleep(0.05)
    yield Running(process, smpp_port, url)
    if process.poll() is None:
        process.kill()
    process.wait()


async def is_ready(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False


async def test_alone_from_submit_to_report_to_end(running: Running) -> None:
    client = Client()
    await client.connect(running.smpp_port)
    assert (await client.submit("33612345678", b"good evening")).ok
    await client.deliveries(1)
    async with httpx.AsyncClient(base_url=running.url) as http:
        handset = (await http.get("/simulator/handsets/33612345678")).json()
        assert handset["messages"][0]["text"] == "good evening"
        assert (await http.get("/simulator/callbacks/mine?msgid=1&Status=handset")).status_code == 200
        assert (await http.get("/openapi/simulator.json")).json()["paths"]["/simulator/faults"]
        assert "good evening" in (await http.get("/simulator/")).text
    running.process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(10):
        assert await client.bind.wait_closed()
        assert await asyncio.to_thread(running.process.wait) == 0
