"""Campaigns on a real broker and database: exact counts, whatever dies and however often things are told."""

import asyncio
import json
import os
import random
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from tests.integration.campaign_rig import (
    KEY,
    ROOT,
    Api,
    World,
    account,
    conserved,
    people,
    process_of,
    scheduler,
    world_on,
)

from campaign_scheduler.domain.campaign import Campaign
from campaign_scheduler.store import Stores
from carillon.events.account import ApiKey
from carillon.events.audience import Audience, AudiencePage, Recipient
from carillon.events.catalogue import ACCOUNT_CHANGED, AUDIENCE_PAGE, MESSAGE_DEFERRED
from carillon.events.message import Deferred
from carillon.http.api_keys import hash_api_key
from carillon.mongo import Mongo
from carillon.runtime.clock import SystemClock
from carillon.runtime.ids import MessageIds
from carillon.testing.builders import an_accepted

pytestmark = pytest.mark.integration


@pytest.fixture
async def world(vhost_url: str) -> AsyncIterator[World]:
    async with world_on(vhost_url) as world:
        yield world


@pytest.fixture
async def api(world: World, vhost_url: str, mongo_url: str, mongo_prefix: str) -> AsyncIterator[Api]:
    async with scheduler(vhost_url, mongo_url, mongo_prefix) as (_, api):
        await api.known(world)
        yield api


async def test_a_campaign_says_each_text_once_and_finishes(world: World, api: Api) -> None:
    world.people = [
        Recipient(number="33611223344"),
        Recipient(number="33612345678", name="Anne"),
        Recipient(number="33687541257", name="Bob", suppressed="stop"),
        Recipient(number="33687654321", name="Zoé"),
    ]
    world.fates = {"33687654321": ("submitted", "undelivered")}
    path = await api.campaign(text="Hello {name|you}")
    view = await api.call("POST", f"{path}:start")
    assert view["state"] == "running"
    view = await api.until(path, "finished")
    assert {message.number: message.text for message in world.accepted} == {
        "33611223344": "Hello you",
        "33612345678": "Hello Anne",
        "33687654321": "Hello Zoé",
    }
    counts = (
        "recipients",
        "sent",
        "delivered",
        "undelivered",
        "suppressed",
        "refused",
        "cancelled",
        "pending",
        "parts",
    )
    assert [view[name] for name in counts] == [4, 3, 2, 1, 1, 0, 0, 0, 3]


async def test_an_audience_of_nobody_finishes(world: World, api: Api) -> None:
    path = await api.campaign(audience={"groups": ["grp_empty"]})
    await api.call("POST", f"{path}:start")
    assert (await api.until(path, "finished"))["recipients"] == 0


async def test_pages_told_twice_and_pause_resume_cancel(world: World, api: Api) -> None:
    world.people = people(4_000)
    world.answer_twice = True
    path = await api.campaign(rate_per_minute=60_000)
    await api.call("POST", f"{path}:start")
    while len(world.accepted) < 600:
        await asyncio.sleep(0.01)
    paused = conserved(await api.call("POST", f"{path}:pause"))
    assert paused["state"] == "paused"
    await asyncio.sleep(0.3)
    said = len(world.accepted)
    assert said < 4_000
    await asyncio.sleep(0.8)
    assert len(world.accepted) == said, "nothing is said after a pause was answered"
    await api.call("POST", f"{path}:resume")
    while len(world.accepted) < said + 500:
        await asyncio.sleep(0.01)
    cancelled = conserved(await api.call("POST", f"{path}:cancel"))
    await asyncio.sleep(0.5)
    said = len(world.accepted)
    await asyncio.sleep(0.8)
    assert len(world.accepted) == said
    view = conserved(await api.call("GET", path))
    while view["pending"] or view["recipients"] < 4_000:  # the audience is counted to its end all the same
        view = conserved(await api.call("GET", path))
    assert (view["state"], view["recipients"], view["sent"], view["cancelled"]) == (
        "cancelled",
        4_000,
        said,
        4_000 - said,
    )
    assert cancelled["state"] == "cancelled"
    assert all(len(ids) == 1 for ids in world.ids_by_number(path.rpartition("/")[2]).values())


async def test_two_processes_killed_in_turns_say_each_number_once(
    world: World, vhost_url: str, mongo_url: str, mongo_prefix: str
) -> None:
    total = 20_000
    world.people = people(total)
    async with (
        process_of(vhost_url, mongo_url, mongo_prefix) as (one, api),
        process_of(vhost_url, mongo_url, mongo_prefix) as (two, other),
    ):
        await api.known(world)
        await other.known(world)
        path = await api.campaign(rate_per_minute=200_000)
        await api.call("POST", f"{path}:start")
        for place, victim in enumerate((one, two, one)):
            while len(world.accepted) < total * (place + 1) // 5:
                await asyncio.sleep(0.01)
            await victim.kill()
            await victim.start()
        await api.known(world)
        view = await api.until(path, "finished", timeout_s=90)
    assert (view["recipients"], view["sent"], view["delivered"], view["pending"]) == (total, total, total, 0)
    ids = world.ids_by_number(path.rpartition("/")[2])
    assert len(ids) == total
    assert {len(each) for each in ids.values()} == {1}, "who says again says the same id"


@pytest.mark.parametrize("seed", range(5))
async def test_random_scripts_conserve(world: World, api: Api, seed: int) -> None:
    chance = random.Random(seed)
    total = chance.choice([1, 499, 1_500, 3_000])
    world.people = people(total)
    for one in chance.sample(world.people, total // 10):
        world.fates[one.number] = chance.choice(
            [("refused",), ("suppressed",), ("submitted", "lost"), ("ambiguous", "lost")]
        )
    path = await api.campaign(text="Hello {name|you}", rate_per_minute=chance.choice([None, 30_000, 120_000]))
    await api.call("POST", f"{path}:start")
    for _ in range(12):
        await asyncio.sleep(chance.random() / 8)
        step = chance.choice(["pause", "resume", "resume", "rate", "look", "cancel" if seed % 2 else "resume"])
        if step == "rate":
            await api.ask("PATCH", path, {"rate_per_minute": chance.choice([None, 6_000, 90_000])})
        elif step != "look":
            await api.ask("POST", f"{path}:{step}")
        conserved(await api.call("GET", path))
    await api.ask("POST", f"{path}:resume")
    await api.ask("PATCH", path, {"rate_per_minute": None})
    view = await api.until(path, "finished", "cancelled", timeout_s=40)
    while view["pending"] or view["awaiting"]:
        view = conserved(await api.call("GET", path))
    said = world.ids_by_number(path.rpartition("/")[2])
    assert view["recipients"] == total
    assert len(said) == total - view["cancelled"]
    assert all(len(ids) == 1 for ids in said.values())


async def _stores(mongo_url: str, mongo_prefix: str) -> tuple[Mongo, Stores]:
    mongo = Mongo(mongo_url, prefix=mongo_prefix)
    return mongo, Stores(mongo.database("campaign_scheduler"))


async def test_what_was_decided_before_a_crash_is_said_after_it_even_if_cancelled(
    world: World, vhost_url: str, mongo_url: str, mongo_prefix: str
) -> None:
    world.people = people(700)
    mongo, stores = await _stores(mongo_url, mongo_prefix)
    async with scheduler(vhost_url, mongo_url, mongo_prefix) as (_, api):
        await api.known(world)
        path = await api.campaign(rate_per_minute=3_000)
        world.is_silent = True
        await api.call("POST", f"{path}:start")
        id_ = path.rpartition("/")[2]
        while len(world.accepted) < 500:
            await asyncio.sleep(0.01)
        await api.call("POST", f"{path}:pause")
        while (await stores.pages.waiting(id_, 1 << 60, 9)) == (0, 0):
            await asyncio.sleep(0.01)
    # a holder decides on the second page, and dies before it says it; then the campaign is cancelled
    campaign = await stores.campaigns.get(id_)
    assert campaign is not None
    decided = await stores.database["campaigns"].update_one(
        {"_id": id_}, {"$set": {"saying": [[1, 0, 200]], "saying_at": 5}}
    )
    assert decided.modified_count == 1
    async with scheduler(vhost_url, mongo_url, mongo_prefix) as (_, api):
        await api.known(world)
        view = conserved(await api.call("POST", f"{path}:cancel"))
        while len(world.accepted) < 700:
            await asyncio.sleep(0.01)
        world.is_silent = False
        await world.tell(world.accepted)
        while view["sent"] < 700:
            view = conserved(await api.call("GET", path))
    assert (view["state"], view["cancelled"], view["pending"]) == ("cancelled", 0, 0)
    assert {len(ids) for ids in world.ids_by_number(id_).values()} == {1}
    await mongo.stop()


async def test_a_stale_holder_decides_nothing(mongo_url: str, mongo_prefix: str) -> None:
    mongo, stores = await _stores(mongo_url, mongo_prefix)
    await stores.start()
    fresh = Campaign(
        id="cmp_1", account="acc_1", name="T", state="running", audience=Audience(), created_at=1, changed_at=1
    )
    await stores.campaigns.add(fresh)
    old = await stores.campaigns.take("cmp_1", 1)
    new = await stores.campaigns.take("cmp_1", 2)
    assert old is not None
    assert new is not None
    assert await stores.campaigns.take("cmp_1", 1) is None
    assert not await stores.campaigns.decide(old, ((0, 0, 5),), 1, 0)
    assert await stores.campaigns.decide(new, ((0, 0, 5),), 1, 0)
    assert not await stores.campaigns.decide(new, ((1, 0, 5),), 1, 0), "from what was read, and nothing else"
    await mongo.stop()


async def test_a_page_whose_handling_was_interrupted_keeps_its_ids(
    world: World, api: Api, mongo_url: str, mongo_prefix: str
) -> None:
    mongo, stores = await _stores(mongo_url, mongo_prefix)
    world.people = people(3)
    path = await api.campaign(start_at="2030-01-01T09:00", timezone="Europe/Paris")
    assert (await api.call("POST", f"{path}:start"))["next_at"] == "2030-01-01T08:00:00.000Z"
    id_ = path.rpartition("/")[2]
    page = AudiencePage(campaign=id_, account="acc_1", page=0, recipients=world.people, last=True)
    await world.bus.publish(AUDIENCE_PAGE, [page])
    while (await stores.pages.waiting(id_, 1 << 60, 9))[1] == 0:
        await asyncio.sleep(0.01)
    before = await stores.pages.some(id_, [0])
    await stores.database["campaigns"].update_one({"_id": id_}, {"$set": {"pages": 0, "is_whole": False, "after": ""}})
    await world.bus.publish(AUDIENCE_PAGE, [page])
    while not (await stores.campaigns.get(id_) or pytest.fail("it is gone")).is_whole:
        await asyncio.sleep(0.01)
    assert await stores.pages.some(id_, [0]) == before
    await mongo.stop()


async def test_a_missing_value_is_an_error_before_anything_is_sent(world: World, api: Api) -> None:
    world.people = [Recipient(number="33611223344"), Recipient(number="33612345678", name="Anne")]
    path = await api.campaign(text="Hello {name}")
    refused = await api.ask("POST", f"{path}:start")
    assert (refused.status_code, refused.json()["code"]) == (422, "value_missing")
    quote = await api.call("POST", f"{path}:quote")
    assert (quote["is_ready"], quote["recipients"], quote["messages"], quote["refused"]) == (
        True,
        2,
        1,
        {"value_missing": 1},
    )
    assert quote["price_micros"] is None
    await api.call("PATCH", path, {"text": "Hello {name|you}" + "a" * 151})
    quote = await api.call("POST", f"{path}:quote")
    assert (quote["messages"], quote["parts"], quote["longest_parts"]) == (2, 3, 2)
    await api.call("POST", f"{path}:start")
    assert (await api.until(path, "finished"))["parts"] == quote["parts"]
    assert len(world.accepted) == 2
    assert (await api.ask("PATCH", path, {"text": "x"})).json()["code"] == "state_conflict"


async def test_a_start_takes_the_quote_that_was_asked_for(world: World, api: Api) -> None:
    """Counting a large audience may take longer than a request: then the next start finds it counted."""
    world.people = people(600, name="Anne")
    path = await api.campaign(text="Hello {name}")
    assert (await api.call("POST", f"{path}:quote"))["recipients"] == 600
    world.people = people(600)  # a new count would find that all names are missing
    await api.call("POST", f"{path}:start")
    assert (await api.until(path, "finished"))["refused"] == 600
    path = await api.campaign(text="Hello {name}")
    await api.call("POST", f"{path}:quote")
    await api.call("PATCH", path, {"text": "Hello {name}, {city}"})
    refused = await api.ask("POST", f"{path}:start")
    assert refused.json()["code"] == "value_missing", "the quote was one of another text"
    world.people = people(600, name="Anne", attributes={"city": "Paris"})
    await api.call("POST", f"{path}:start")
    await api.until(path, "finished")


async def test_templates(world: World, api: Api) -> None:
    made = await api.call(
        "POST", "/v1/templates", {"name": "Sale", "contents": {"fr": "Salut {name|vous}", "en": "Hi {name}, €"}}
    )
    path = f"/v1/templates/{made['id']}"
    assert (made["placeholders"], made["needed"]) == (["name"], ["name"])
    assert made["verdicts"]["fr"]["encoding"] == "gsm"
    world.people = [Recipient(number="33612345678", name="Anne", language="en-GB")]
    preview = await api.call("POST", f"{path}:preview", {"number": "0612345678"})
    assert preview == {"text": "Hi Anne, €", "encoding": "gsm", "parts": 1, "price_micros": None, "currency": None}
    assert (await api.call("POST", f"{path}:preview", {"variables": {"Name": "Bob"}}))["text"] == "Salut Bob"
    missing = await api.ask("POST", f"{path}:preview", {"language": "en"})
    assert (missing.status_code, missing.json()["code"]) == (422, "value_missing")
    assert (await api.ask("POST", "/v1/templates", {"name": "SALE", "content": "x"})).json()["code"] == "name_taken"
    bad = await api.ask("POST", "/v1/templates", {"name": "Bad", "content": "Hi {name"})
    assert (bad.status_code, bad.json()["code"]) == (422, "placeholder_malformed")
    campaign = await api.campaign(text=None, template="sale")
    await api.call("POST", f"{campaign}:start")
    await api.until(campaign, "finished")
    assert [message.text for message in world.accepted] == ["Hi Anne, €"]
    await api.call("PATCH", path, {"content": "Bonjour", "name": "Autre"})
    assert (await api.call("GET", path))["contents"] == {"fr": "Bonjour"}
    assert [one["name"] for one in (await api.call("GET", "/v1/templates"))["items"]] == ["Autre"]
    await api.call("DELETE", path)
    assert (await api.ask("GET", path)).status_code == 404


async def test_marketing_waits_for_its_window_with_the_rules_id(world: World, api: Api) -> None:
    """Whatever the hour: one of the two profiles' days has begun where it is asked for."""
    world.people = [Recipient(number="33612345678"), Recipient(number="6421234567")]
    path = await api.campaign(text="Sale", profile="fr-marketing")
    await api.call("POST", f"{path}:start")
    async with asyncio.timeout(20):
        while True:
            view = conserved(await api.call("GET", path))
            waiting = sum(one["messages"] for one in view["deferred"])
            if view["is_exact"] and waiting + view["sent"] == 2:
                break
            await asyncio.sleep(0.05)
    assert all("@" in one["rule"] for one in view["deferred"])
    assert view["pending"] == waiting
    assert {message.text for message in world.accepted} <= {"Sale STOP au 36111"}
    view = conserved(await api.call("POST", f"{path}:cancel"))
    assert view["cancelled"] == waiting


async def test_a_scheduled_and_a_recurring_campaign_come_in_time(world: World, api: Api) -> None:
    world.people = people(2)
    soon = datetime.now(UTC) + timedelta(seconds=1.5)
    once = await api.campaign(start_at=soon.isoformat())
    again = await api.campaign(start_at=soon.isoformat(), rrule="FREQ=DAILY;COUNT=2")
    for path in (once, again):
        assert (await api.call("POST", f"{path}:start"))["state"] == "scheduled"
    assert world.accepted == []
    await api.until(once, "finished")
    await api.until(f"{again}.1", "finished")
    parent = await api.call("GET", again)
    assert (parent["state"], parent["occurrences"]) == ("scheduled", 1)
    assert parent["next_at"][:10] == (soon + timedelta(days=1)).date().isoformat()
    assert {message.campaign for message in world.accepted} == {once[14:], f"{again[14:]}.1"}
    assert all(message.accepted_at >= soon.timestamp() * 1000 - 1 for message in world.accepted)


async def test_a_test_send_goes_to_ones_own_numbers_and_counts_nowhere(world: World, api: Api) -> None:
    path = await api.campaign(text="Hello {name}")
    sent = await api.call("POST", f"{path}:test", {"to": ["0612345678"], "variables": {"name": "me"}})
    while not world.accepted:
        await asyncio.sleep(0.01)
    (message,) = world.accepted
    assert (str(message.id), message.text, message.campaign) == (sent["ids"][0], "Hello me", None)
    missing = await api.ask("POST", f"{path}:test", {"to": ["0612345678"]})
    assert (missing.status_code, missing.json()["code"]) == (422, "value_missing")
    view = await api.call("GET", path)
    assert (view["state"], view["recipients"]) == ("draft", 0)
    await api.call("DELETE", path)


async def test_progress_is_streamed_to_its_end(world: World, vhost_url: str, mongo_url: str, mongo_prefix: str) -> None:
    world.people = people(1_200)
    async with process_of(vhost_url, mongo_url, mongo_prefix) as (_, api):
        await api.known(world)
        path = await api.campaign()
        await api.call("POST", f"{path}:start")
        async with api.client.stream("GET", f"{path}/progress", headers=_key()) as answer:
            text = "".join([chunk async for chunk in answer.aiter_text()])
    events = [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]
    datas = [httpx.Response(200, text=line[6:]).json() for line in text.splitlines() if line.startswith('data: {"')]
    assert events[-1] == "end"
    assert [conserved(data)["state"] for data in datas][-1] == "finished"
    assert datas[-1]["delivered"] == 1_200


def _key() -> dict[str, str]:
    return {"Authorization": f"Bearer {KEY}"}


async def test_tenants_are_walls(world: World, api: Api) -> None:
    other = replace(
        account(), id="acc_2", api_keys=[ApiKey(id="key_2", hash=hash_api_key("ck_2"), scopes=["messages"])]
    )
    await world.bus.publish(ACCOUNT_CHANGED, [other])
    while (await api.ask("GET", "/v1/campaigns", key="ck_2")).status_code != 200:
        await asyncio.sleep(0.05)
    campaign = await api.campaign()
    template = (await api.call("POST", "/v1/templates", {"name": "T", "content": "x"}))["id"]
    tries: list[tuple[str, str, Any]] = [
        ("GET", campaign, None),
        ("PATCH", campaign, {"name": "x"}),
        ("DELETE", campaign, None),
        ("GET", f"{campaign}/progress", None),
        *(("POST", f"{campaign}:{verb}", None) for verb in ("start", "pause", "resume", "cancel", "quote")),
        ("POST", f"{campaign}:test", {"to": ["0612345678"]}),
        ("GET", f"/v1/templates/{template}", None),
        ("PATCH", f"/v1/templates/{template}", {"name": "x"}),
        ("POST", f"/v1/templates/{template}:preview", {}),
        ("DELETE", f"/v1/templates/{template}", None),
    ]
    for method, path, body in tries:
        assert (await api.ask(method, path, body, key="ck_2")).status_code == 404, (method, path)
    assert (await api.ask("GET", "/v1/campaigns", key="ck_2")).json()["items"] == []
    stolen = await api.ask(
        "POST", "/v1/campaigns", {"name": "x", "template": template, "audience": {"everyone": True}}, key="ck_2"
    )
    assert stolen.json()["code"] == "template_unknown"
    assert (await api.call("GET", campaign))["state"] == "draft"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"text": "Hi {"}, "placeholder_malformed"),
        ({"template": "none"}, "content_not_one"),
        ({"text": None}, "content_not_one"),
        ({"audience": {"numbers": ["0102030405"]}}, "number_impossible"),
        ({"sender": "much too long a sender"}, "invalid_request"),
        ({"sender": "a?b"}, "sender_invalid"),
        ({"profile": "moon"}, "profile_unknown"),
        ({"timezone": "Moon/Sea"}, "timezone_unknown"),
        ({"start_at": "tomorrow"}, "time_invalid"),
        ({"rrule": "FREQ=DAILY"}, "start_missing"),
        ({"start_at": "2030-01-01T09:00", "rrule": "FREQ=SECONDLY"}, "rrule_invalid"),
        ({"rate_per_minute": 0}, "invalid_request"),
        ({"colour": "red"}, "invalid_request"),
    ],
)
async def test_what_a_campaign_cannot_be(api: Api, fields: dict[str, Any], code: str) -> None:
    body = {"name": "Test", "text": "Hello", "audience": {"everyone": True}, **fields}
    answer = await api.ask("POST", "/v1/campaigns", body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_deferred_messages_are_released_to_the_second_or_cancelled(world: World, api: Api) -> None:
    ids = MessageIds(1_023, SystemClock())
    now_ms = SystemClock().now_ms()
    messages = [
        an_accepted(id=ids.next(), number=f"3361234567{n}", lane=lane)
        for n, lane in enumerate(("urgent", "bulk", "bulk"))
    ]
    for message in messages:
        later = Deferred(message=message, send_at=now_ms + 2_000)
        for _ in range(2):  # told twice
            await world.bus.publish(MESSAGE_DEFERRED, [later], lane=message.lane)
    cancelled = messages[1]
    for _ in range(2):
        assert (await api.ask("DELETE", f"/v1/messages/{cancelled.id}")).status_code == 204
    while len(world.accepted) < 2:
        await asyncio.sleep(0.01)
    assert 0 <= SystemClock().now_ms() - now_ms - 2_000 < 1_000
    await asyncio.sleep(0.5)
    assert {message.id for message in world.accepted} == {messages[0].id, messages[2].id}
    late = await api.ask("DELETE", f"/v1/messages/{messages[0].id}")
    assert (late.status_code, late.json()["code"]) == (409, "message_released")
    assert (await api.ask("DELETE", "/v1/messages/77")).status_code == 404
    assert [(one.id, one.code) for one in world.refused] == [(cancelled.id, "cancelled")]


async def test_a_suspended_accounts_campaign_waits_for_it(world: World, api: Api) -> None:
    world.people = people(2)
    soon = datetime.now(UTC) + timedelta(seconds=1)
    path = await api.campaign(start_at=soon.isoformat())
    await api.call("POST", f"{path}:start")
    await world.bus.publish(ACCOUNT_CHANGED, [replace(account(), version=2, state="suspended")])
    await asyncio.sleep(2.5)
    assert world.accepted == []
    await world.bus.publish(ACCOUNT_CHANGED, [replace(account(), version=3)])
    await api.known(world)
    assert (await api.until(path, "finished"))["sent"] == 2


async def test_the_command_line_drives_a_campaign(
    world: World, vhost_url: str, mongo_url: str, mongo_prefix: str
) -> None:
    async with process_of(vhost_url, mongo_url, mongo_prefix) as (process, api):
        await api.known(world)
        environ = {**process.environ, "CARILLON_URL": f"http://127.0.0.1:{process.port}", "CARILLON_API_KEY": KEY}
        environ["PYTHONPATH"] = os.pathsep.join([environ["PYTHONPATH"], str(ROOT / "cli")])

        async def carillon(*words: str) -> tuple[int, str]:
            made = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "carillon_cli", *words, env=environ, stdout=asyncio.subprocess.PIPE
            )
            out, _ = await made.communicate()
            return made.returncode or 0, out.decode()

        world.people = people(3)
        created, out = await carillon(
            "campaign", "create", "--name", "N", "--to", "+33600000010", "--to", "0600000011", "--text", "Hi", "--json"
        )
        id_ = json.loads(out)["id"]
        assert (created, json.loads(out)["state"]) == (0, "draft")
        assert (await carillon("campaign", "start", id_))[0] == 0
        watched, out = await carillon("campaign", "watch", id_, "--json")
        assert (watched, conserved(json.loads(out))["delivered"]) == (0, 2)
        shown, out = await carillon("campaign", "show", id_)
        assert (shown, "finished" in out, "delivered 2" in out) == (0, True, True)
        assert (await carillon("campaign", "cancel", id_))[0] == 1
        assert (await carillon("campaign", "show", "cmp_0"))[0] == 1
