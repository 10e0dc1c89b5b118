"""What campaigns are tested with: schedulers as processes, and over the bus who answers them."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from campaign_scheduler.main import build
from campaign_scheduler.settings import Settings
from carillon.bus import Delivery, Subscription
from carillon.bus.rabbit import RabbitBus
from carillon.bus.topology import CONTACTS_AUDIENCE, dispatcher_route, receipt_record
from carillon.events.account import AccountChanged, ApiKey
from carillon.events.audience import AudiencePage, AudienceRequested, Recipient
from carillon.events.base import LANES
from carillon.events.catalogue import ACCOUNT_CHANGED, AUDIENCE_PAGE, MESSAGE_STATUS
from carillon.events.message import Accepted, Refused, Status, StatusChanged
from carillon.http.api_keys import hash_api_key
from carillon.mongo import TEMPORARY_ERRORS
from carillon.runtime.lifecycle import Service
from carillon.testing.builders import an_account

KEY = "ck_live_campaigns"
ROOT = Path(__file__).parents[2]


def account(**fields: Any) -> AccountChanged:
    """The account whose key is KEY."""
    return an_account(api_keys=[ApiKey(id="key_1", hash=hash_api_key(KEY), scopes=["messages"])], **fields)


@dataclass
class World:
    """Contacts, and everything behind message.accepted, as scripts over a real broker."""

    bus: RabbitBus
    people: list[Recipient] = field(default_factory=list)
    accepted: list[Accepted] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    fates: dict[str, Sequence[Status]] = field(default_factory=dict)
    is_silent: bool = False
    pages_asked: int = 0
    answer_twice: bool = False

    async def start(self) -> None:
        """Connect and say the account."""
        await self.bus.start()
        await self.bus.subscribe(Subscription(CONTACTS_AUDIENCE, self._answer))
        for lane in LANES:
            await self.bus.subscribe(Subscription(dispatcher_route(lane), self._take))
            await self.bus.subscribe(Subscription(receipt_record(lane), self._record))

    async def _answer(self, deliveries: Sequence[Delivery]) -> None:
        for request in (record for delivery in deliveries for record in delivery.records):
            assert isinstance(request, AudienceRequested)
            self.pages_asked += 1
            wanted = set(request.audience.numbers)
            after = [one for one in self.people if one.number > request.after and (not wanted or one.number in wanted)]
            page = AudiencePage(
                campaign=request.campaign,
                account=request.account,
                page=request.page,
                recipients=after[: request.size],
                last=len(after) <= request.size,
            )
            for _ in range(1 + self.answer_twice):
                await self.bus.publish(AUDIENCE_PAGE, [page])

    async def _take(self, deliveries: Sequence[Delivery]) -> None:
        messages = [one for delivery in deliveries for one in delivery.records if isinstance(one, Accepted)]
        known = {message.id for message in self.accepted}
        self.accepted += messages
        if not self.is_silent:
            await self.tell([message for message in messages if message.id not in known])

    async def _record(self, deliveries: Sequence[Delivery]) -> None:
        self.refused += [one for delivery in deliveries for one in delivery.records if isinstance(one, Refused)]

    async def tell(self, messages: Sequence[Accepted]) -> None:
        """What became of them, said in two goes and in a bad order."""
        told = [
            StatusChanged(
                id=message.id,
                account=message.account,
                status=status,
                at=message.accepted_at,
                number=message.number,
                lane=message.lane,
                campaign=message.campaign,
                price_micros=message.price_micros,
                lease_id=message.lease_id,
            )
            for message in messages
            for status in reversed(["accepted", *self.fates.get(message.number, ("submitted", "delivered"))])
        ]
        for at in range(0, len(told), 500):
            await self.bus.publish(MESSAGE_STATUS, told[at : at + 500], lane="bulk")

    def ids_by_number(self, campaign: str) -> dict[str, set[int]]:
        """Ids that each number was written to with."""
        found: dict[str, set[int]] = {}
        for message in self.accepted:
            if message.campaign == campaign:
                found.setdefault(message.number, set()).add(message.id)
        return found


def people(count: int, **fields: Any) -> list[Recipient]:
    """Contacts in the order of their numbers."""
    return [Recipient(number=f"336{place:08d}", contact=f"ctc_{place}", **fields) for place in range(10, 10 + count)]


@asynccontextmanager
async def world_on(vhost_url: str) -> AsyncIterator[World]:
    """The world, connected."""
    world = World(RabbitBus(vhost_url, name="world", temporary=TEMPORARY_ERRORS))
    await world.start()
    yield world
    await world.bus.stop()


@dataclass
class Api:
    """A client of the API that speaks for the account."""

    client: httpx.AsyncClient

    async def ask(self, method: str, path: str, body: Any = None, *, key: str = KEY) -> httpx.Response:
        """One request."""
        return await self.client.request(method, path, json=body, headers={"Authorization": f"Bearer {key}"})

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """One that succeeds."""
        answer = await self.ask(method, path, body)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    async def campaign(self, **fields: Any) -> str:
        """Path of a new draft, to everyone."""
        body = {"name": "Test", "text": "Hello", "audience": {"everyone": True}, **fields}
        return f"/v1/campaigns/{(await self.call('POST', '/v1/campaigns', body))['id']}"

    async def until(self, path: str, *states: str, timeout_s: float = 30.0) -> Any:
        """Look until it is in one of these states; conservation holds at every look."""
        async with asyncio.timeout(timeout_s):
            while True:
                view = conserved(await self.call("GET", path))
                if view["state"] in states:
                    return view
                await asyncio.sleep(0.02)

    async def known(self, world: World, **fields: Any) -> None:
        """Wait until the account's key is known; the account has these fields."""
        async with asyncio.timeout(60):
            while True:
                try:
                    if (await self.ask("GET", "/v1/campaigns")).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                await world.bus.publish(ACCOUNT_CHANGED, [account(**fields)])
                await asyncio.sleep(0.1)


def conserved(view: Any) -> Any:
    """The view, whose counts add up."""
    parts = ("sent", "suppressed", "refused", "cancelled", "pending")
    assert view["recipients"] == sum(view[name] for name in parts), view
    assert min(view[name] for name in ("recipients", *parts, "awaiting")) >= 0, view
    assert view["state"] != "finished" or view["pending"] == view["awaiting"] == 0, view
    return view


@asynccontextmanager
async def scheduler(vhost_url: str, mongo_url: str, mongo_prefix: str) -> AsyncIterator[tuple[Service, Api]]:
    """The real service within this process, and its API."""
    service = build(Settings(amqp_url=vhost_url, mongo_url=mongo_url, mongo_prefix=mongo_prefix))
    for part in service.parts:
        await part.start()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(service.app), base_url="http://here") as client:
        yield service, Api(client)
    for part in reversed(service.parts):
        await part.stop()


@dataclass
class Process:
    """A scheduler process that can be killed."""

    port: int
    environ: dict[str, str]
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Begin; ready or not."""
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "campaign_scheduler", env=self.environ, stdout=asyncio.subprocess.DEVNULL
        )

    async def kill(self, number: int = signal.SIGKILL) -> None:
        """Without a word."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        await self.process.wait()


@asynccontextmanager
async def process_of(vhost_url: str, mongo_url: str, mongo_prefix: str) -> AsyncIterator[tuple[Process, Api]]:
    """A scheduler as a process of its own, and its API."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    paths = [str(ROOT / "libs" / "common"), str(ROOT / "services" / "campaign-scheduler")]
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "CARILLON_AMQP_URL": vhost_url,
        "CARILLON_MONGO_URL": mongo_url,
        "CARILLON_MONGO_PREFIX": mongo_prefix,
        "CARILLON_CAMPAIGN_SCHEDULER_PORT": str(port),
    }
    process = Process(port, environ)
    await process.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        yield process, Api(client)
    await process.kill(signal.SIGTERM)
