"""The whole receipt service on real servers: events in, callbacks, API and stream out; tenants are walls."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from tests.integration.receipt_rig import Client, client_server

from carillon.bus.rabbit import RabbitBus
from carillon.bus.stream import read_stream
from carillon.bus.topology import RECEIPT_STREAM
from carillon.events.account import AccountChanged, ApiKey, Callback
from carillon.events.base import Record
from carillon.events.catalogue import (
    ACCOUNT_CHANGED,
    INBOUND_RECEIVED,
    MESSAGE_ACCEPTED,
    MESSAGE_REFUSED,
    MESSAGE_SUBMITTED,
    REPORT_RECEIVED,
    Event,
)
from carillon.events.message import Accepted, Refused, Submitted
from carillon.events.report import InboundReceived, ReportReceived
from carillon.http.server import HttpServer
from carillon.runtime.clock import SystemClock
from carillon.runtime.ids import MessageIds
from carillon.runtime.lifecycle import Service, start_all
from carillon.testing.builders import an_accepted, an_account
from receipt.main import build
from receipt.settings import Settings

pytestmark = pytest.mark.integration

_ids = MessageIds(9, SystemClock())


def a_key(id_: str) -> str:
    return f"ck_live_{id_}"


def an_account_with_key(id_: str, url: str | None) -> AccountChanged:
    key = ApiKey(id=f"key_{id_}", hash=hashlib.sha256(a_key(id_).encode()).hexdigest(), scopes=["messages", "receipts"])
    return an_account(id=id_, doors=[], api_keys=[key], callback=Callback(url=url) if url else None)


@dataclass
class World:
    """The running service, its neighbours' bus, a client's server, and the API as two accounts see it."""

    service: Service
    bus: RabbitBus
    client: Client
    mine: httpx.AsyncClient
    theirs: httpx.AsyncClient
    amqp_url: str

    async def say(self, event: Event, *records: Record) -> None:
        await self.bus.publish(event, records, lane="bulk" if event.has_lanes else None)

    async def a_message(self, **fields: object) -> Accepted:
        message = an_accepted(id=_ids.next(), account="acc_mine", accepted_at=SystemClock().now_ms(), **fields)
        await self.say(MESSAGE_ACCEPTED, message)
        return message

    async def submit(self, message: Accepted) -> None:
        submitted = Submitted(
            id=message.id, account=message.account, operator="north", ref=f"r{message.id}", number=message.number,
            at=SystemClock().now_ms(),
        )  # fmt: skip
        await self.say(MESSAGE_SUBMITTED, submitted)

    async def report(self, message: Accepted) -> None:
        report = ReportReceived(
            operator="north", ref=f"r{message.id}", state="delivered", number=message.number,
            at=SystemClock().now_ms(),
        )  # fmt: skip
        await self.say(REPORT_RECEIVED, report)

    async def shown(self, message: Accepted, status: str) -> dict[str, Any]:
        """The message in the API, once it has that status."""
        async with asyncio.timeout(15):
            while True:
                answer = await self.mine.get(f"/v1/messages/{message.id}")
                if answer.status_code == 200 and answer.json()["status"] == status:
                    body: dict[str, Any] = answer.json()
                    return body
                await asyncio.sleep(0.05)


@pytest.fixture
async def world(vhost_url: str, mongo_url: str, mongo_prefix: str) -> AsyncIterator[World]:
    settings = Settings(
        amqp_url=vhost_url, mongo_url=mongo_url, mongo_prefix=mongo_prefix, receipt_port=0, callback_allow_private=True
    )
    service = build(settings)
    bus = RabbitBus(vhost_url, name="neighbours")
    server = HttpServer(service.app, host="127.0.0.1", port=0, grace_s=1)
    async with AsyncExitStack() as stack:
        await start_all([*service.parts, server, bus], stack)
        client = await stack.enter_async_context(client_server())
        url = f"http://127.0.0.1:{server.port}"
        mine, theirs = [
            await stack.enter_async_context(
                httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {a_key(id_)}"}, timeout=20)
            )
            for id_ in ("acc_mine", "acc_theirs")
        ]
        world = World(service, bus, client, mine, theirs, vhost_url)
        await world.say(
            ACCOUNT_CHANGED,
            an_account_with_key("acc_mine", client.url),
            an_account_with_key("acc_theirs", None),
        )
        async with asyncio.timeout(15):
            while {(await each.get("/v1/messages")).status_code for each in (mine, theirs)} != {200}:
                await asyncio.sleep(0.05)
        yield world


async def test_from_accepted_to_the_handset(world: World) -> None:
    message = await world.a_message(
        client_ref="order-1", metadata={"k": "v"}, price_micros=70_000, trace=f"00-{'ab' * 16}-{'cd' * 8}-01"
    )
    await world.shown(message, "accepted")
    await world.submit(message)
    await world.shown(message, "submitted")
    await world.report(message)
    await world.shown(message, "delivered")
    async with asyncio.timeout(10):
        while world.client.received(message.id) != ["operator", "handset"]:
            await asyncio.sleep(0.05)
        while len((await world.shown(message, "delivered"))["callbacks"]) < 2:
            await asyncio.sleep(0.05)
    shown = await world.shown(message, "delivered")
    assert [milestone["status"] for milestone in shown["milestones"]] == ["accepted", "submitted", "delivered"]
    assert shown["part_details"][0]["ref"] == f"r{message.id}"
    assert (shown["route"], shown["price_micros"], shown["country"]) == (["north"], 70_000, "FR")
    assert (shown["client_ref"], shown["metadata"], shown["trace_id"]) == ("order-1", {"k": "v"}, "ab" * 16)
    assert [(each["status"], each["state"]) for each in shown["callbacks"]] == [
        ("submitted", "done"),
        ("delivered", "done"),
    ]
    assert "text" not in shown
    replay = await world.mine.post(f"/v1/callbacks/{message.id}-delivered/replay")
    assert replay.status_code == 202
    async with asyncio.timeout(10):
        while world.client.received(message.id) != ["operator", "handset", "handset"]:
            await asyncio.sleep(0.05)


async def test_lists_by_filter_and_page(world: World) -> None:
    messages = [await world.a_message(number=f"336000000{n:02d}", client_ref=f"ref-{n % 3}") for n in range(12)]
    for message in messages[:4]:
        await world.say(
            MESSAGE_REFUSED, Refused(id=message.id, account=message.account, code="no_route", at=SystemClock().now_ms())
        )
        await world.shown(message, "refused")
    await world.shown(messages[-1], "accepted")

    async def ids(**wanted: Any) -> list[str]:
        found: list[str] = []
        cursor: str | None = None
        for _ in range(30):
            parameters = {**wanted, **({"cursor": cursor} if cursor else {})}
            page = (await world.mine.get("/v1/messages", params=parameters)).json()
            found += [item["id"] for item in page["items"]]
            cursor = page["next"]
            if cursor is None:
                return found
        raise AssertionError("no end of pages")

    newest_first = [str(message.id) for message in reversed(messages)]
    assert await ids() == newest_first
    assert await ids(limit=5) == newest_first
    assert await ids(status="refused", limit=3) == newest_first[8:]
    assert await ids(status="accepted", limit=3) == newest_first[:8]
    assert await ids(status="delivered") == []
    assert await ids(number=messages[2].number) == [str(messages[2].id)]
    assert await ids(client_ref="ref-1", limit=2) == [each for n, each in enumerate(newest_first) if (11 - n) % 3 == 1]
    assert await ids(client_ref="ref-1", status="refused") == [str(messages[1].id)]
    assert await ids(**{"from": "2031-01-01T00:00:00Z"}) == []
    assert await ids(to="2031-01-01T00:00:00Z") == newest_first
    for bad in ({"limit": 0}, {"status": "gone"}, {"from": "2031-01-01"}, {"cursor": "???"}):
        assert (await world.mine.get("/v1/messages", params=bad)).status_code in (400, 422)


async def test_tenants_are_walls(world: World) -> None:
    message = await world.a_message(client_ref="mine")
    await world.submit(message)
    await world.shown(message, "submitted")
    assert (await world.theirs.get(f"/v1/messages/{message.id}")).status_code == 404
    assert (await world.theirs.get("/v1/messages", params={"client_ref": "mine"})).json()["items"] == []
    assert (await world.theirs.get("/v1/callbacks", params={"message": message.id})).json()["items"] == []
    assert (await world.theirs.post(f"/v1/callbacks/{message.id}-submitted/replay")).status_code == 404
    anonymous = httpx.AsyncClient(base_url=world.mine.base_url)
    for path in ("/v1/messages", f"/v1/messages/{message.id}", "/v1/receipts/stream", "/v1/callbacks"):
        assert (await anonymous.get(path)).status_code == 401
    await anonymous.aclose()


async def test_the_stream_over_sse_goes_on_where_it_stopped(world: World) -> None:
    async def read(client: httpx.AsyncClient, wanted: int, **headers: str) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        async with (
            asyncio.timeout(20),
            client.stream("GET", "/v1/receipts/stream", params={"offset": "first"}, headers=headers) as answer,
        ):
            assert answer.headers["content-type"].startswith("text/event-stream")
            event: dict[str, Any] = {}
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    event["id"] = int(value)
                elif name == "data":
                    event["data"] = json.loads(value)
                elif line == "" and "data" in event:
                    events.append(event)
                    event = {}
                    if sum(len(each["data"]["data"]) for each in events) >= wanted:
                        return events
        raise AssertionError("the stream ended")

    first = await world.a_message()
    await world.shown(first, "accepted")
    [event] = await read(world.mine, 1)
    assert event["data"]["specversion"] == "1.0"
    [receipt] = event["data"]["data"]
    assert (receipt["message_id"], receipt["status"], receipt["account"]) == (str(first.id), "accepted", "acc_mine")
    second = await world.a_message()
    await world.shown(second, "accepted")
    [later] = await read(world.mine, 1, **{"Last-Event-ID": str(event["id"])})
    assert [each["message_id"] for each in later["data"]["data"]] == [str(second.id)]
    other = an_accepted(id=_ids.next(), account="acc_theirs", accepted_at=SystemClock().now_ms())
    await world.say(MESSAGE_ACCEPTED, other)
    theirs = await read(world.theirs, 1)
    assert [each["message_id"] for one in theirs for each in one["data"]["data"]] == [str(other.id)]


async def test_the_stream_can_be_read_from_any_offset(world: World) -> None:
    for _ in range(3):
        await world.shown(await world.a_message(), "accepted")
    async with asyncio.timeout(20):
        everything: list[int] = []
        async with aclosing(read_stream(world.amqp_url, RECEIPT_STREAM, "first")) as entries:
            async for entry in entries:
                everything.append(entry.offset)
                assert json.loads(entry.body)["type"] == "carillon.message.status.v1"
                if len(everything) == 3:
                    break
        async with aclosing(read_stream(world.amqp_url, RECEIPT_STREAM, everything[1])) as entries:
            assert (await anext(entries)).offset == everything[1]


async def test_inbound_is_kept_once(world: World, mongo_url: str, mongo_prefix: str) -> None:
    from pymongo import MongoClient

    part = InboundReceived(id=_ids.next(), operator="north", number="33612345678", to="36111", text="STOP", at=1)
    await world.say(INBOUND_RECEIVED, part)
    await world.say(INBOUND_RECEIVED, part)
    with MongoClient[dict[str, Any]](mongo_url) as mongo:
        async with asyncio.timeout(10):
            while not (kept := list(mongo[f"{mongo_prefix}receipt"]["inbound"].find({"_id": part.id}))):
                await asyncio.sleep(0.05)
        assert [one["text"] for one in kept] == ["STOP"]


async def test_health_and_openapi(world: World) -> None:
    assert (await world.mine.get("/readyz")).status_code == 200
    document = (await world.mine.get("/openapi/receipt.json")).json()
    assert "/v1/messages/{message_id}" in document["paths"]
