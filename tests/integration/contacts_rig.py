"""What the integration tests of contacts share: one process of it, its API, and the records it hears and says."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import SecretStr

from carillon.bus import Delivery
from carillon.bus.port import Subscription
from carillon.bus.rabbit import RabbitBus
from carillon.bus.topology import CAMPAIGN_PAGES
from carillon.events.account import AccountChanged, ApiKey
from carillon.events.audience import AudiencePage
from carillon.events.catalogue import ACCOUNT_CHANGED
from carillon.http.api_keys import hash_api_key
from carillon.mongo import TEMPORARY_ERRORS, Mongo
from carillon.runtime.lifecycle import start_all
from carillon.testing.builders import an_account
from carillon.testing.bus_contract import eventually
from contacts.main import build
from contacts.settings import Settings

KEY = {"Authorization": "Bearer ck_live_1"}
HASH_KEY = "a key that is long enough for a test of contacts"
ENDED = ("finished", "failed", "undone")


def settings_of(amqp_url: str, mongo_url: str, mongo_prefix: str) -> Settings:
    """Of a service for one test."""
    return Settings(
        amqp_url=amqp_url, mongo_url=mongo_url, mongo_prefix=mongo_prefix, number_hash_key=SecretStr(HASH_KEY)
    )


def account(number: int = 1) -> AccountChanged:
    key = f"ck_live_{number}"
    return an_account(
        id=f"acc_{number}",
        api_keys=[ApiKey(id=f"key_{number}", hash=hash_api_key(key), scopes=["contacts"])],
        country="FR",
        doors=[],
    )


@dataclass
class Rig:
    """The API as account 1 sees it (`api`) and as account 2 does (`other`)."""

    api: httpx.AsyncClient
    other: httpx.AsyncClient
    mongo: Mongo
    bus: RabbitBus
    pages: list[AudiencePage]

    async def upload(self, data: bytes, *, ended: bool = True, **options: Any) -> dict[str, Any]:
        """One import, awaited to its end."""
        name = options.pop("file_name", "contacts.csv")
        answer = await self.api.post("/v1/imports", files={"file": (name, data)}, data=options)
        assert answer.status_code == 202, answer.text
        return await self.ended(answer.json()["id"]) if ended else answer.json()

    async def ended(self, id_: str, within_s: float = 60) -> dict[str, Any]:
        async with asyncio.timeout(within_s):
            while True:
                seen: dict[str, Any] = (await self.api.get(f"/v1/imports/{id_}")).json()
                if seen["state"] in ENDED:
                    return seen
                await asyncio.sleep(0.05)

    async def contacts(self, **query: Any) -> list[dict[str, Any]]:
        """All of them, page by page."""
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            parameters = {"limit": 500, **query, **({"cursor": cursor} if cursor else {})}
            page = (await self.api.get("/v1/contacts", params=parameters)).json()
            found += page["items"]
            cursor = page["next"]
            if cursor is None:
                return found

    async def groups(self) -> dict[str, dict[str, Any]]:
        page = (await self.api.get("/v1/groups", params={"limit": 500})).json()
        return {group["name"]: group for group in page["items"]}

    async def report(self, id_: str) -> list[str]:
        answer = await self.api.get(f"/v1/imports/{id_}/errors")
        return answer.content.decode("utf-8-sig").splitlines()[1:]


@asynccontextmanager
async def rig(settings: Settings) -> AsyncIterator[Rig]:
    """One contacts process, and another service's end of the bus."""
    service = build(settings)
    mongo = Mongo(settings.mongo_url, prefix=settings.mongo_prefix)
    bus = RabbitBus(settings.amqp_url, name="test", temporary=TEMPORARY_ERRORS)
    pages: list[AudiencePage] = []

    async def hear(deliveries: Any) -> None:
        for delivery in deliveries:
            assert isinstance(delivery, Delivery)
            pages.extend(record for record in delivery.records if isinstance(record, AudiencePage))

    async with AsyncExitStack() as stack:
        await start_all([*service.parts, mongo, bus], stack)
        await bus.subscribe(Subscription(CAMPAIGN_PAGES, hear))
        await bus.publish(ACCOUNT_CHANGED, [account(1), account(2)])
        clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(service.app),
                    base_url="http://contacts",
                    headers={"Authorization": f"Bearer ck_live_{number}"},
                    timeout=60,
                )
            )
            for number in (1, 2)
        ]
        for client in clients:
            await eventually_ok(client)
        yield Rig(clients[0], clients[1], mongo, bus, pages)


async def eventually_ok(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(10):
        while (await client.get("/v1/groups")).status_code != 200:
            await asyncio.sleep(0.02)


async def until(condition: Any, within_s: float = 10) -> None:
    await eventually(condition, within_s=within_s)


def sse_of(body: str) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix("data: ")) for line in body.splitlines() if line.startswith("data: ")]


async def started(settings: Settings) -> tuple[asyncio.subprocess.Process, str]:
    """A contacts process of its own that knows account 1."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "CARILLON_AMQP_URL": settings.amqp_url,
        "CARILLON_MONGO_URL": settings.mongo_url,
        "CARILLON_MONGO_PREFIX": settings.mongo_prefix,
        "CARILLON_CONTACTS_PORT": str(port),
        "CARILLON_NUMBER_HASH_KEY": HASH_KEY,
        "CARILLON_LOG_LEVEL": "warning",
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "contacts", env=environment)
    url = f"http://127.0.0.1:{port}"
    bus = RabbitBus(settings.amqp_url, name="test")
    await bus.start()
    async with asyncio.timeout(60), httpx.AsyncClient(base_url=url) as api:
        while True:
            await asyncio.sleep(0.1)
            try:
                if (await api.get("/readyz")).status_code == 200:
                    break
            except httpx.TransportError:
                assert process.returncode is None
        await bus.publish(ACCOUNT_CHANGED, [account(1)])
        while (await api.get("/v1/groups", headers=KEY)).status_code != 200:
            await asyncio.sleep(0.05)
    await bus.stop()
    return process, url
