"""What integration tests do to the servers."""

import asyncio
import base64
import json
import urllib.parse
import urllib.request
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from carillon_cli.servers import Servers


@pytest.fixture
def close_connections(servers: Servers, amqp_vhost: str) -> Callable[[], Awaitable[None]]:
    """The broker closes every connection of this test's virtual host, as an operator of it may."""

    async def close() -> None:
        names: list[str] = []
        async with asyncio.timeout(30):
            while not names:  # the broker's list of connections comes a few seconds late
                found = await asyncio.to_thread(_manage, servers, "GET", f"/api/vhosts/{amqp_vhost}/connections")
                names = [connection["name"] for connection in found]
                await asyncio.sleep(0.2)
        for name in names:
            await asyncio.to_thread(_manage, servers, "DELETE", f"/api/connections/{urllib.parse.quote(name)}")

    return close


def _manage(servers: Servers, method: str, path: str) -> Any:
    parts = urllib.parse.urlsplit(servers.management_url)
    request = urllib.request.Request(f"http://{parts.hostname}:{parts.port}{path}", method=method)
    token = base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()
    request.add_header("Authorization", f"Basic {token}")
    with urllib.request.urlopen(request, timeout=30) as answer:
        body = answer.read()
    return json.loads(body) if body else None
