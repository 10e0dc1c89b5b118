"""Ingest on a real RabbitMQ and MongoDB, over real HTTP: its promise, references, keys, a broker that is away."""

import asyncio
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from carillon.bus import Delivery, Subscription
from carillon.bus.rabbit import RabbitBus
from carillon.bus.topology import ACCOUNTS_COPIES, dispatcher_route
from carillon.events.account import AccountChanged, ApiKey, Door
from carillon.events.base import LANES
from carillon.events.catalogue import ACCOUNT_CHANGED
from carillon.events.message import Accepted
from carillon.http.api_keys import hash_api_key
from carillon.http.server import HttpServer
from carillon.mongo import Mongo
from carillon.runtime.clock import SystemClock
from carillon.runtime.lifecycle import start_all
from carillon.testing.builders import an_account
from carillon.testing.bus_contract import eventually
from carillon.testing.idempotency import StoreContract
from ingest.main import build
from ingest.settings import Settings
from ingest.store.keys import Keys
from ingest.store.refs import Refs

pytestmark = pytest.mark.integration

KEY = "ck_live_integration"
ACCOUNT = an_account(
    doors=[Door(name="demo", addresses=["127.0.0.1"])],
    api_keys=[ApiKey(id="key_1", hash=hash_api_key(KEY), scopes=["messages"])],
)
GOOD = {"number": "33614806759", "content": "Test"}


@dataclass
class Neighbours:
    """Accounts, which answers requests for copies, and dispatcher, which keeps what it gets."""

    bus: RabbitBus
    accounts: list[AccountChanged] = field(default_factory=lambda: [ACCOUNT])
    accepted: list[Accepted] = field(default_factory=list)

    async def start(self) -> None:
        await self.bus.start()
        await self.bus.subscribe(Subscription(ACCOUNTS_COPIES, self._say_accounts))
        for lane in LANES:
            await self.bus.subscribe(Subscription(dispatcher_route(lane), self._keep))

    async def _say_accounts(self, _requests: Sequence[Delivery]) -> None:
        await self.bus.publish(ACCOUNT_CHANGED, self.accounts)

    async def _keep(self, deliveries: Sequence[Delivery]) -> None:
        self.accepted += [r for delivery in deliveries for r in delivery.records if isinstance(r, Accepted)]


class Cable:
    """A TCP relay to the broker that can be cut."""

    def __init__(self, url: str) -> None:
        self._target = urllib.parse.urlsplit(url)
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """The broker's URL through the cable."""
        user = self._target.netloc.rpartition("@")[0]
        return self._target._replace(netloc=f"{user}@127.0.0.1:{self._port}").geturl()

    async def join(self) -> None:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
        ends = {writer, far_writer}
        self._writers |= ends
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer), return_exceptions=True)
        self._writers -= ends
        for end in ends:
            end.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Ingest as a process runs it, and a client for it that knows the key."""
    service = build(settings)
    server = HttpServer(service.app, host="127.0.0.1", port=0, grace_s=1)
    async with AsyncExitStack() as stack:
        await start_all([server, *service.parts], stack)
        headers = {"Authorization": f"Bearer {KEY}"}
        base = f"http://127.0.0.1:{server.port}"
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=base, headers=headers, timeout=30))
        yield client


async def known(client: httpx.AsyncClient) -> None:
    """Wait until the copy of the account has come."""
    async with asyncio.timeout(15):
        while (await client.post("/v1/messages/quote", json={"text": "x"})).status_code != 200:
            await asyncio.sleep(0.05)


@pytest.fixture
def settings_of(mongo_url: str, mongo_prefix: str) -> Callable[..., Settings]:
    return lambda amqp_url, **more: Settings(
        amqp_url=amqp_url,
        mongo_url=mongo_url,
        mongo_prefix=mongo_prefix,
        number_hash_key=SecretStr("k" * 32),
        publish_timeout_s=2.0,
        **more,
    )


@pytest.fixture
async def neighbours(vhost_url: str) -> AsyncIterator[Neighbours]:
    there = Neighbours(RabbitBus(vhost_url, name="neighbours"))
    await there.start()
    yield there
    await there.bus.stop()


async def test_what_got_an_id_is_in_the_broker(
    settings_of: Callable[..., Settings], vhost_url: str, neighbours: Neighbours
) -> None:
    async with running(settings_of(vhost_url)) as client:
        await known(client)
        assert (await client.get("/readyz")).status_code == 200
        pushed = await asyncio.gather(*(client.get("/Ext/demo.asp", params=GOOD) for _ in range(100)))
        batch = {"messages": [{"to": "33614806759", "text": f"n {n}"} for n in range(999)] + [{"to": "33614806759"}]}
        sent = await client.post("/v1/messages", json=batch)
        results = sent.json()["results"]
    ids = {int(answer.text) for answer in pushed} | {int(result["id"]) for result in results[:-1]}
    assert len(ids) == 1_099
    assert results[-1]["error"]["code"] == "content_not_one"
    await eventually(lambda: len(neighbours.accepted) == 1_099)
    assert {message.id for message in neighbours.accepted} == ids
    assert {message.lane for message in neighbours.accepted} == {"urgent", "bulk"}


async def test_it_can_be_the_front_of_other_services(
    settings_of: Callable[..., Settings], vhost_url: str, neighbours: Neighbours
) -> None:
    async def receipt(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"7")]})
        await send({"type": "http.response.body", "body": b"receipt"})

    far = HttpServer(receipt, host="127.0.0.1", port=0, grace_s=1)
    await far.start()
    async with running(settings_of(vhost_url, front_targets=f"receipt=http://127.0.0.1:{far.port}")) as client:
        await known(client)
        assert (await client.get("/v1/messages/1")).text == "receipt"
        assert (await client.get("/Ext/demo.asp", params=GOOD)).text.isdigit()
        assert (await client.get("/readyz")).json() == {"status": "ready"}
    await far.stop()


async def test_a_changed_account_holds_within_a_second(
    settings_of: Callable[..., Settings], vhost_url: str, neighbours: Neighbours
) -> None:
    async with running(settings_of(vhost_url)) as client:
        await known(client)
        closed = an_account(version=2, state="suspended", doors=ACCOUNT.doors)
        await neighbours.bus.publish(ACCOUNT_CHANGED, [closed])
        await asyncio.sleep(0.9)
        answer = await client.get("/Ext/demo.asp", params=GOOD)
    assert (answer.text, answer.headers["carillon-reason"]) == ("KO - SMS rejected", "account_suspended")


async def test_a_reference_and_a_key_outlive_the_process(
    settings_of: Callable[..., Settings], vhost_url: str, neighbours: Neighbours
) -> None:
    named = {**GOOD, "ref": "order-1"}
    keyed = {"Idempotency-Key": "k1"}
    message = {"to": "33614806759", "text": "Test"}
    async with running(settings_of(vhost_url)) as client:
        await known(client)
        pushed = await asyncio.gather(*(client.get("/Ext/demo.asp", params=named) for _ in range(50)))
        sent = await client.post("/v1/messages", json=message, headers=keyed)
    assert len({answer.text for answer in pushed}) == 1
    async with running(settings_of(vhost_url)) as client:
        await known(client)
        before = len(neighbours.accepted)
        again = await client.get("/Ext/demo.asp", params=named)
        sent_again = await client.post("/v1/messages", json=message, headers=keyed)
    assert again.text == pushed[0].text
    assert (sent_again.json(), sent_again.headers["idempotency-replayed"]) == (sent.json(), "true")
    await asyncio.sleep(0.2)
    assert len(neighbours.accepted) == before
    assert {message.id for message in neighbours.accepted} == {int(again.text), int(sent.json()["id"])}


async def test_while_the_broker_is_away_pushes_are_turned_away_and_nothing_is_lost(
    settings_of: Callable[..., Settings], vhost_url: str, neighbours: Neighbours
) -> None:
    cable = Cable(vhost_url)
    await cable.join()
    async with running(settings_of(cable.url, ingest_max_waiting=5)) as client:
        await known(client)
        await cable.cut()
        named = [{**GOOD, "ref": f"r{n}"} for n in range(20)]
        away = await asyncio.gather(*(client.get("/Ext/demo.asp", params=one) for one in named))
        keyed = {"Idempotency-Key": "k1"}
        message = {"to": "33614806759", "text": "Test"}
        not_sent = await client.post("/v1/messages", json=message, headers=keyed)
        assert {answer.status_code for answer in [*away, not_sent]} == {503}
        assert all(int(answer.headers["retry-after"]) > 0 and "KO" not in answer.text for answer in away)
        assert {answer.headers["carillon-reason"] for answer in away} <= {"broker_unavailable", "overloaded"}
        assert (await client.get("/readyz")).status_code == 503
        await cable.join()
        ids: set[int] = set()
        for one in named:
            ids.add(int(await _insisting(lambda one=one: client.get("/Ext/demo.asp", params=one))))  # type: ignore[misc]
        sent = await client.post("/v1/messages", json=message, headers=keyed)
        ids.add(int(sent.json()["id"]))
    await cable.cut()
    await eventually(lambda: {message.id for message in neighbours.accepted} == ids)
    assert len(ids) == 21


async def _insisting(ask: Callable[[], Awaitable[httpx.Response]]) -> str:
    """Ask until it is taken, as a client does that was told to come back."""
    async with asyncio.timeout(20):
        while True:
            answer = await ask()
            if answer.status_code == 200:
                return answer.text
            await asyncio.sleep(0.2)


async def test_references_are_claimed_once_and_marks_are_kept(mongo_url: str, mongo_prefix: str) -> None:
    mongo = Mongo(mongo_url, prefix=mongo_prefix)
    first, second = (Refs(mongo.database("ingest"), SystemClock(), max_waiting=100) for _ in range(2))
    await first.start()
    claims = await asyncio.gather(*((first, second)[n % 2].settle("acc_1", "a", n + 1) for n in range(20)))
    assert len({claim.message for claim in claims}) == 1
    assert not any(claim.said for claim in claims)
    first.mark_said(claims[0])
    await first.stop()
    assert (await second.settle("acc_1", "a", 99)).said
    assert (await second.settle("acc_2", "a", 99)).message == 99
    indexes = await mongo.database("ingest")["refs"].index_information()
    assert indexes["at_1"]["expireAfterSeconds"] == 86_400
    await mongo.stop()


class TestKeysInMongo(StoreContract):
    @pytest.fixture
    async def store(self, mongo_url: str, mongo_prefix: str) -> AsyncIterator[Any]:
        mongo = Mongo(mongo_url, prefix=mongo_prefix)
        keys = Keys(mongo.database("ingest"))
        await keys.start()
        yield keys
        await mongo.stop()
