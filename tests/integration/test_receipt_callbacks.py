"""Callbacks against a real client server and a real MongoDB: forms, retries, isolation, order, replay."""

import asyncio
import json
import time
from collections.abc import Iterable

import pytest
from tests.integration.receipt_rig import Client, Process, client_server, delivery_of, receipt_process

from carillon.events.account import AccountChanged, Callback
from carillon.events.message import CallbackForm, Status, StatusChanged
from carillon.runtime.clock import SystemClock
from carillon.runtime.ids import MessageIds
from carillon.testing.builders import an_account
from carillon.testing.clock import ManualClock
from receipt.domain.schedule import RETRY_AFTER_S
from receipt.queries import Queries
from receipt.replays import Replays

pytestmark = pytest.mark.integration

_ids = MessageIds(8, SystemClock())


def change(status: Status = "delivered", message: int | None = None, account: str = "acc_1") -> StatusChanged:
    now_ms = SystemClock().now_ms()
    return StatusChanged(
        id=message or _ids.next(), account=account, status=status, at=now_ms, number="33612345678", lane="bulk",
        accepted_at=now_ms - 1_000, operator="north",
    )  # fmt: skip


def account(url: str, form: CallbackForm = "query", id_: str = "acc_1", version: int = 1) -> AccountChanged:
    secrets = ["whsec_c2VjcmV0"] if form.startswith("json") else []
    return an_account(id=id_, version=version, callback=Callback(url=url, form=form, secrets=secrets))


async def tell(process: Process, changes: Iterable[StatusChanged]) -> float:
    """Hand over one delivery; how long it took to be done with."""
    began_s = time.monotonic()
    await process.callbacks([delivery_of(*changes)])
    return time.monotonic() - began_s


async def pending(process: Process) -> int:
    return await process.stores.callbacks.count_pending()


async def work(process: Process) -> None:
    """One round of the backlog, to its end."""
    await process.backlog.sweep()
    await process.backlog.idle()


async def eventually_told(client: Client, count: int) -> None:
    async with asyncio.timeout(10):
        while len(client.requests) < count:
            await asyncio.sleep(0.01)


async def test_success_leaves_only_a_log(mongo_url: str, mongo_prefix: str) -> None:
    async with receipt_process(mongo_url, mongo_prefix) as process, client_server() as client:
        await process.add_account(account(client.url))
        changes = [change() for _ in range(200)]
        await tell(process, [change("accepted"), *changes])
        assert [client.received(each.id) for each in changes] == [["handset"]] * 200
        assert client.connections <= 32
        assert await process.stores.callbacks.lanes() == []
        [told] = await process.stores.callback_log.of_message(changes[7].id)
        assert (told.status, told.url, told.code) == ("delivered", client.url, 200)


@pytest.mark.parametrize("ends", ["keeps", "closes"])
async def test_a_server_that_closes_its_connections_gets_everything(
    mongo_url: str, mongo_prefix: str, ends: str
) -> None:
    async with receipt_process(mongo_url, mongo_prefix) as process, client_server() as client:
        client.close_after_each = ends == "closes"
        await process.add_account(account(client.url))
        changes = [change() for _ in range(100)]
        await tell(process, changes)
        assert await pending(process) == 0
        assert all(client.received(each.id) for each in changes)


async def test_the_same_message_is_told_in_order(mongo_url: str, mongo_prefix: str) -> None:
    async with receipt_process(mongo_url, mongo_prefix) as process, client_server() as client:
        await process.add_account(account(client.url))
        ids = [_ids.next() for _ in range(50)]
        firsts, seconds = [change("submitted", id_) for id_ in ids], [change("delivered", id_) for id_ in ids]
        await asyncio.gather(tell(process, firsts), tell(process, seconds))
        assert [client.received(id_) for id_ in ids] == [["operator", "handset"]] * 50


async def test_what_is_behind_a_failed_one_waits_for_it(mongo_url: str, mongo_prefix: str) -> None:
    clock = ManualClock()
    async with receipt_process(mongo_url, mongo_prefix, clock=clock) as process, client_server() as client:
        await process.add_account(account(client.url))
        client.answer = lambda request: "500 Oops" if "operator" in request else "200 OK"
        id_, other = _ids.next(), _ids.next()
        await tell(process, [change("submitted", id_)])
        await tell(process, [change("delivered", id_), change("delivered", other)])
        assert (client.received(id_), client.received(other)) == (["operator"], ["handset"])
        client.answer = lambda _request: "200 OK"
        await work(process)
        assert client.received(id_) == ["operator"]
        await clock.advance(6)
        await work(process)
        assert client.received(id_) == ["operator", "operator", "handset"]
        assert await pending(process) == 0
        assert await process.stores.callbacks.lanes() == []


async def test_the_schedule_then_parked_then_replayed(mongo_url: str, mongo_prefix: str) -> None:
    clock = ManualClock()
    async with receipt_process(mongo_url, mongo_prefix, clock=clock) as process, client_server() as client:
        await process.add_account(account(client.url))
        client.answer = lambda _request: "400 Bad Request"
        told = change()
        await tell(process, [told])
        for number, pause_s in enumerate(RETRY_AFTER_S, start=1):
            assert len(client.requests) == number
            await clock.advance(pause_s - 1)
            await work(process)
            assert len(client.requests) == number, "too early"
            await clock.advance(2 + pause_s * 0.1)
            await work(process)
        assert len(client.requests) == 10
        await clock.advance(1_000_000)
        await work(process)
        assert len(client.requests) == 10
        [document] = await process.stores.callbacks.of_message(told.id)
        assert (document["state"], document["tries"], len(document["attempts"])) == ("parked", 10, 10)

        replays = Replays(process.stores, Queries(process.stores), process.lanes, clock)
        assert await replays.replay_range("acc_2", 0, 2**62) == 0
        assert await replays.replay_range("acc_1", 0, 2**62) == 1
        client.answer = lambda _request: "200 OK"
        await work(process)
        assert len(client.requests) == 11
        [view], _ = await replays.page("acc_1", None, "done", None, 10)
        assert [attempt.http_status for attempt in view.attempts] == [400] * 10 + [200]
        assert await replays.page("acc_2", None, None, None, 10) == ([], None)


async def test_retry_after_is_honoured(mongo_url: str, mongo_prefix: str) -> None:
    clock = ManualClock()
    async with receipt_process(mongo_url, mongo_prefix, clock=clock) as process, client_server() as client:
        await process.add_account(account(client.url))
        client.answer = lambda _request: "503 Busy\r\nRetry-After: 120"
        await tell(process, [change()])
        await clock.advance(60)
        await work(process)
        assert len(client.requests) == 1
        client.answer = lambda _request: "200 OK"
        await clock.advance(61)
        await work(process)
        assert (len(client.requests), await pending(process)) == (2, 0)


async def test_410_disables_the_url_until_it_is_enabled(mongo_url: str, mongo_prefix: str) -> None:
    clock = ManualClock()
    async with receipt_process(mongo_url, mongo_prefix, clock=clock) as process, client_server() as client:
        await process.add_account(account(client.url))
        client.answer = lambda _request: "410 Gone"
        await tell(process, [change()])
        await tell(process, [change() for _ in range(5)])
        assert len(client.requests) == 1
        replays = Replays(process.stores, Queries(process.stores), process.lanes, clock)
        [disabled] = await replays.disabled("acc_1")
        assert disabled.url == client.url
        assert await replays.disabled("acc_2") == []
        assert not await replays.enable("acc_2", disabled.id)
        assert await replays.enable("acc_1", disabled.id)
        client.answer = lambda _request: "200 OK"
        assert await replays.replay_range("acc_1", 0, 2**62) == 6
        await work(process)
        await clock.advance(2)
        await work(process)
        assert len(client.requests) == 7


@pytest.mark.parametrize("answer", ["301 Moved\r\nLocation: http://127.0.0.1:1/", "404 Not Found", "100"])
async def test_only_2xx_is_success_and_no_redirect_is_followed(mongo_url: str, mongo_prefix: str, answer: str) -> None:
    async with receipt_process(mongo_url, mongo_prefix, limit_s=0.3) as process, client_server() as client:
        await process.add_account(account(client.url))
        client.answer = lambda _request: answer
        await tell(process, [change()])
        assert (len(client.requests), await pending(process)) == (1, 1)


async def test_a_slow_client_delays_nobody(mongo_url: str, mongo_prefix: str) -> None:
    """Five thousand receipts for a client that does not answer hold up the others' for one limit, once."""
    async with (
        receipt_process(mongo_url, mongo_prefix, limit_s=0.5) as process,
        client_server() as slow,
        client_server() as quick,
    ):
        await process.add_account(account(slow.url, id_="acc_slow"))
        await process.add_account(account(quick.url, id_="acc_quick"))
        slow.hold.clear()
        told: list[StatusChanged] = []
        took: list[float] = []
        for _ in range(10):
            changes = [change(account="acc_slow") for _ in range(400)]
            told += (mine := [change(account="acc_quick") for _ in range(10)])
            took.append(await tell(process, [*changes, *mine]))
        assert all(quick.received(each.id) == ["handset"] for each in told)
        assert sum(took) < 5
        assert len([seconds for seconds in took if seconds > 0.5]) <= 2
        assert await pending(process) == 4_000
        began_s = time.monotonic()
        sweep = asyncio.create_task(work(process))  # the slow one is being worked on, and hangs
        await tell(process, [change(account="acc_quick")])
        assert time.monotonic() - began_s < 0.4
        slow.hold.set()
        await sweep
        async with asyncio.timeout(30):
            while await pending(process):
                await work(process)
                await asyncio.sleep(0.2)


async def test_a_late_answer_settles_its_callback(mongo_url: str, mongo_prefix: str) -> None:
    async with receipt_process(mongo_url, mongo_prefix, limit_s=0.2) as process, client_server() as client:
        await process.add_account(account(client.url))
        client.hold.clear()
        id_ = _ids.next()
        await tell(process, [change("submitted", id_), change("delivered", id_)])
        assert await pending(process) == 2
        client.hold.set()
        async with asyncio.timeout(10):
            while await pending(process):
                await work(process)
                await asyncio.sleep(0.1)
        assert client.received(id_) == ["operator", "handset"]


async def test_a_dead_client_is_tried_with_one_call_and_then_gets_all(mongo_url: str, mongo_prefix: str) -> None:
    clock = ManualClock()
    async with receipt_process(mongo_url, mongo_prefix, clock=clock) as process, client_server() as client:
        await process.add_account(account(client.url))
        client.answer = lambda _request: "503 Down"
        for _ in range(3):
            await tell(process, [change() for _ in range(100)])
        made = len(client.requests)
        assert made < 200
        await clock.advance(10)
        await work(process)
        assert len(client.requests) == made + 1
        client.answer = lambda _request: "200 OK"
        for _ in range(5):
            await clock.advance(400)
            await work(process)
        assert await pending(process) == 0
        await tell(process, [change()])
        assert await pending(process) == 0


async def test_json_batches_are_signed_and_full(mongo_url: str, mongo_prefix: str) -> None:
    async with receipt_process(mongo_url, mongo_prefix) as process, client_server() as client:
        await process.add_account(account(client.url, "json-batch"))
        changes = [change() for _ in range(500)]
        await asyncio.gather(*(tell(process, changes[at : at + 125]) for at in range(0, 500, 125)))
        bodies = [json.loads(request.partition("\r\n\r\n")[2]) for request in client.requests]
        assert sorted(each["id"] for body in bodies for each in body["data"]) == sorted(str(c.id) for c in changes)
        assert len(bodies) <= 4
        assert all("webhook-signature: v1," in request for request in client.requests)


async def test_a_message_may_name_its_own_url(mongo_url: str, mongo_prefix: str) -> None:
    async with receipt_process(mongo_url, mongo_prefix) as process, client_server() as client:
        await process.add_account(account("http://127.0.0.1:1/nobody", "json"))
        own, bad = change(), change()
        own.callback_url, own.callback_form = client.url + "?k=v", "query"
        bad.callback_url = "ftp://elsewhere/"
        await tell(process, [own, bad])
        assert client.received(own.id) == ["handset"]
        assert f"?k=v&msgid={own.id}" in client.requests[0]
        [document] = await process.stores.callbacks.of_message(bad.id)
        assert (document["state"], document["reason"]) == ("parked", "only http and https can be called")


async def test_the_backlog_outlives_its_process(mongo_url: str, mongo_prefix: str) -> None:
    clock = ManualClock()
    async with client_server() as client:
        async with receipt_process(mongo_url, mongo_prefix, clock=clock) as process:
            await process.add_account(account(client.url))
            client.answer = lambda _request: "500 Oops"
            told = [change() for _ in range(20)]
            await tell(process, told)
        client.answer = lambda _request: "200 OK"
        await clock.advance(6)
        async with receipt_process(mongo_url, mongo_prefix, clock=clock, name="rcp_2") as successor:
            for _ in range(4):
                await work(successor)
                await clock.advance(2)
            assert await pending(successor) == 0
        assert all(client.received(each.id)[-1] == "handset" for each in told)
