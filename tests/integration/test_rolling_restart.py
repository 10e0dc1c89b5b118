"""A release under load: every service is replaced while 5,000 messages come in, and nobody's message suffers.

Rolling: the new process works beside the old one before that gets its SIGTERM, as a Deployment does it. In place: the
old one goes first. Half of the clients speak to the legacy door and repeat a `ref`, half to the JSON API and repeat an
`Idempotency-Key`; as clients do, they try again what was not answered.
"""

import asyncio
import itertools
import json
import os
import subprocess
import sys
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from pymongo import MongoClient
from tests.integration.fleet import Fleet

from carillon_cli.servers import Home, default_home, discard_servers
from carillon_cli.services import FRONT, SERVICES

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

MESSAGES = 5_000
CLIENTS = 32
BEFORE_TERM = 100  # messages of a share that are accepted before the SIGTERM: then the clients are at full speed
GRACE_S = 20.0
# the simulator is the operator: outside. In place: those that hold something when they stop
REPLACED = {
    "rolling": [service for service in SERVICES if service != "simulator"],
    "in place": ["receipt", "dispatcher", "ingest"],
}


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    root = default_home()
    home = Home(root / "test" / f"{os.getpid()}-rolling", tools=root / "tools")
    one = Fleet(home)
    try:
        one.start()
        yield one
    finally:
        one.stop()
        discard_servers(home)


@dataclass
class Load:
    """The clients: what they were promised, and how often they had to try again, by cause."""

    fleet: Fleet
    numbers: Iterator[str]
    accepted: dict[str, str] = field(default_factory=dict)
    again: Counter[str] = field(default_factory=Counter)
    refused: dict[str, str] = field(default_factory=dict)
    released: int = 0  # how many may have been pushed: a share goes with each SIGTERM, so that none comes at rest
    pushed: int = 0

    async def run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=40)
        async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=CLIENTS)) as session:
            pushes = itertools.cycle((self._push_legacy, self._push_json))
            await asyncio.gather(*(self._client(session, next(pushes)) for _ in range(CLIENTS)))

    async def _client(self, session: aiohttp.ClientSession, push: Callable[..., object]) -> None:
        for number in self.numbers:
            while self.pushed >= self.released:
                await asyncio.sleep(0.01)
            self.pushed += 1
            while True:
                try:
                    if await push(session, number):  # type: ignore[misc]
                        break
                except (aiohttp.ClientError, TimeoutError) as error:
                    self.again[type(error).__name__] += 1
                await asyncio.sleep(0.1)

    async def _push_legacy(self, session: aiohttp.ClientSession, number: str) -> bool:
        demo = self.fleet.demo
        assert demo is not None
        query = {"login": demo.login, "password": demo.password, "content": "Hello", "number": number, "ref": number}
        url = f"{self.fleet.front}/Ext/{demo.door}.asp?{urllib.parse.urlencode(query)}"
        async with session.get(url) as answer:
            text = await answer.text()
            if answer.status != 200:
                self.again[f"legacy {answer.status}"] += 1
                return False
        if text.isdigit():
            self.accepted[number] = text
        else:
            self.refused[number] = text
        return True

    async def _push_json(self, session: aiohttp.ClientSession, number: str) -> bool:
        demo = self.fleet.demo
        assert demo is not None
        headers = {"Authorization": f"Bearer {demo.api_key}", "Idempotency-Key": f"key-{number}"}
        url = f"{self.fleet.front}/v1/messages"
        async with session.post(url, json={"to": number, "text": "Hello"}, headers=headers) as answer:
            body = await answer.json()
            if answer.status in (409, 429, 502, 503):  # the key's first call still runs, or: come back
                self.again[f"json {answer.status}"] += 1
                return False
        if answer.status == 202:
            self.accepted[number] = body["id"]
        else:
            self.refused[number] = f"{answer.status} {body}"
        return True


@pytest.mark.parametrize("way", REPLACED)
async def test_replacing_every_service_under_load_loses_and_doubles_nothing(fleet: Fleet, way: str) -> None:
    first = 0 if way == "rolling" else MESSAGES
    fleet.simulator("/reset", "POST")
    fleet.simulator("/faults", "PUT", {"rules": False, "receipt_delay_s": 0.2, "answer_delay_s": 0.2})
    load = Load(fleet, iter([f"336{place:08d}" for place in range(first, first + MESSAGES)]))
    pushing = asyncio.create_task(load.run())
    replace = fleet.roll if way == "rolling" else fleet.restart
    under_way: dict[str, int] = {}
    ended: dict[str, tuple[int, float]] = {}
    watching = asyncio.create_task(_watch(fleet))
    began_s = time.monotonic()
    for place, service in enumerate(REPLACED[way], 1):

        def release(place: int = place, service: str = service) -> None:
            load.released = MESSAGES * place // len(REPLACED[way])
            deadline_s, enough = time.monotonic() + 20, len(load.accepted) + BEFORE_TERM
            while len(load.accepted) < enough and time.monotonic() < deadline_s:
                time.sleep(0.01)
            under_way[service] = load.released - len(load.accepted)

        ended[service] = await asyncio.to_thread(replace, service, release)
    took_s = time.monotonic() - began_s
    await pushing
    told = await _told(fleet, load)
    print(  # noqa: T201  what the run was like: `pytest -rP` shows it
        f"{way}: {took_s:.1f} s, tried again {dict(load.again)}; to be pushed at SIGTERM, and seconds to the end: "
        + ", ".join(f"{name} {under_way[name]}, {seconds:.1f} s" for name, (_, seconds) in ended.items())
    )

    assert {name: status for name, (status, _) in ended.items() if status != 0} == {}
    assert {name: seconds for name, (_, seconds) in ended.items() if seconds > GRACE_S} == {}
    assert ended["receipt"][1] < GRACE_S / 2, "an open event stream has held it up"
    assert await asyncio.wait_for(watching, 5) > 0
    assert load.refused == {}
    assert len(load.accepted) == MESSAGES
    assert min(under_way.values()) > 50, "a process got its SIGTERM at rest"
    counts = fleet.simulator("/counts")
    assert [number for number in load.accepted if number not in counts] == []
    assert {number: count for number, count in counts.items() if count != 1} == {}
    assert len(set(load.accepted.values())) == MESSAGES
    assert [number for number, id_ in load.accepted.items() if "handset" not in told.get(id_, ())] == []
    assert {status for statuses in told.values() for status in statuses} <= {"operator", "handset"}
    assert _ever_ambiguous(fleet) == []


async def _watch(fleet: Fleet) -> int:
    """An analyst's open event stream on receipt: how many events came before the process took its leave."""
    assert fleet.demo is not None
    events = 0
    headers = {"Authorization": f"Bearer {fleet.demo.api_key}"}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
            session.get(f"{fleet.running['receipt'].url}/v1/receipts/stream?offset=next", headers=headers) as answer,
        ):
            assert answer.status == 200
            async for line in answer.content:
                events += line.startswith(b"event:")
    except aiohttp.ClientError:
        return events
    return events


async def _told(fleet: Fleet, load: Load) -> dict[str, list[str]]:
    """Wait until every message's client was told that it is on the handset; what each was told."""
    deadline_s = time.monotonic() + 90
    while True:
        told: dict[str, list[str]] = await asyncio.to_thread(fleet.simulator, "/callbacks/messages")
        waiting = [id_ for id_ in load.accepted.values() if "handset" not in told.get(id_, ())]
        if not waiting or time.monotonic() > deadline_s:
            return told
        await asyncio.sleep(0.5)


def _ever_ambiguous(fleet: Fleet) -> list[int]:
    """Messages with a part whose answer was not awaited, also where a report has cleared that up since."""
    with MongoClient[dict[str, Any]](fleet.env["CARILLON_MONGO_URL"]) as client:
        receipt = client["receipt"]
        at_once = [found["_id"] for found in receipt["messages"].find({"doubts": {"$exists": True}}, {"_id": 1})]
        later = [found["message"] for found in receipt["additions"].find({"_id": {"$regex": ":doubts"}})]
    return at_once + later


def _check(fleet: Fleet) -> tuple[int, dict[str, dict[str, str]]]:
    """`carillon check --json` on the fleet: its exit status, and the findings by area and name."""
    targets = ",".join(f"{name}={one.url}" for name, one in fleet.running.items() if name != FRONT)
    env = {
        **fleet.env,
        "CARILLON_URL": fleet.front,
        "CARILLON_FRONT_TARGETS": targets,
        "CARILLON_HOME": str(fleet.home.path),
    }
    ran = subprocess.run(
        [sys.executable, "-m", "carillon_cli", "check", "--json"], env=env, capture_output=True, text=True, check=False
    )
    assert ran.stdout, ran.stderr
    findings = json.loads(ran.stdout)["findings"]
    return ran.returncode, {f"{finding['area']} {finding['what']}": finding for finding in findings}


async def test_check_finds_nothing_wrong_after_all_that_and_misses_a_service_that_is_gone(fleet: Fleet) -> None:
    status, findings = await asyncio.to_thread(_check, fleet)
    assert {name: found for name, found in findings.items() if found["state"] != "ok"} == {}
    assert status == 0
    for name in ("broker topology", "database replica set", "database clock of mongod", "services front",
                 "services clock of receipt", "operators simulator", "machine disk", "machine operators file",
                 "broker receipt.record.bulk", "database indexes receipt", "database migrations"):  # fmt: skip
        assert findings[name]["state"] == "ok", name
    fleet.running["receipt"].terminate()
    status, findings = await asyncio.to_thread(_check, fleet)
    assert status == 1
    assert findings["services receipt"]["state"] == "fail"
    assert findings["broker receipt.record.bulk"]["state"] == "fail"
    assert findings["broker receipt.record.bulk"]["do"].startswith("start receipt")
    assert findings["broker dispatcher.route.bulk"]["state"] == "ok"
