"""Campaigns on a real platform, one process per service, by the commands and the public address.

The simulator counts what handsets get: each number once, whatever is killed; and the counts add up at every look.
"""

import asyncio
import json
import os
import random
import sys
import time
import urllib.error
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.campaign_rig import ROOT, conserved
from tests.integration.platform_rig import Platform, running_platform

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

ROWS = ["33611223344", "33612345678;Zoé", "33687654321;Hélène;NomGroupe", "33687541257;;NomGroupe"]
FIELDS = {"recipients", "sent", "delivered", "suppressed", "refused", "cancelled", "pending"}
SCRIPTS = 15  # with the five of test_campaigns: twenty


@pytest.fixture(scope="module")
def running() -> Iterator[Platform]:
    with running_platform("campaigns") as one:
        admin, token = f"{one.env['CARILLON_URL']}/admin/accounts", one.env["CARILLON_ADMIN_TOKEN"]
        account = one.call("POST", admin, {"name": "Marketer", "country": "FR", "lost_after_s": 60}, token)["id"]
        key = one.call("POST", f"{admin}/{account}/api-keys", {}, token)["key"]
        one.own = {"CARILLON_API_KEY": key}  # its receipts are told to nobody
        one.env |= one.own
        _wait_until_known(one)
        yield one


def _wait_until_known(one: Platform) -> None:
    for path in ("/v1/campaigns", "/v1/contacts"):
        while True:
            try:
                one.call("GET", one.env["CARILLON_URL"] + path, token=one.env["CARILLON_API_KEY"])
                break
            except urllib.error.HTTPError:
                time.sleep(0.1)


class Marketer:
    """Whoever drives campaigns: commands, and the API behind the front."""

    def __init__(self, running: Platform, folder: Path, client: httpx.AsyncClient) -> None:
        self._folder = folder
        self._client = client
        paths = [str(ROOT / "libs" / "common"), str(ROOT / "cli")]
        self._env = {**os.environ, **running.env, "PYTHONPATH": os.pathsep.join(paths)}

    async def carillon(self, *words: str) -> Any:
        """What a command prints as JSON."""
        command = (sys.executable, "-m", "carillon_cli", *words, "--json")
        made = await asyncio.create_subprocess_exec(*command, env=self._env, stdout=asyncio.subprocess.PIPE)
        out, _ = await made.communicate()
        assert made.returncode == 0, (words, out)
        return json.loads(out)

    async def campaign(self, numbers: list[str], *words: str) -> str:
        """Id of a started campaign to a file of these numbers."""
        made = await self.carillon(
            "campaign", "create", "--name", "N", "--file", str(self._file(numbers)), "--text", "Hello", *words
        )
        await self.carillon("campaign", "start", made["id"])
        return str(made["id"])

    async def draft(self, numbers: list[str], **fields: Any) -> str:
        """The same draft without the seconds that commands take to load."""
        data = self._file(numbers).read_bytes()
        file = (await self.ask("POST", "/v1/imports?kind=audience&file_name=people.csv", content=data)).json()
        while file["state"] != "finished":
            await asyncio.sleep(0.1)
            file = (await self.ask("GET", f"/v1/imports/{file['id']}")).json()
        body = {"name": "N", "text": "Hello {name|you}", "audience": {"file": file["id"]}, **fields}
        return str((await self.ask("POST", "/v1/campaigns", json=body)).json()["id"])

    def _file(self, numbers: list[str]) -> Path:
        file = self._folder / "people.csv"
        file.write_text("\r\n".join(numbers))
        return file

    async def ask(self, method: str, path: str, **what: Any) -> httpx.Response:
        return await self._client.request(method, path, **what)

    async def act(self, method: str, path: str, body: Any = None) -> None:
        """A request that may come while nobody serves it, or in a state in which it can't be."""
        try:
            answer = await self.ask(method, path, json=body)
        except httpx.TransportError:
            return
        assert answer.status_code in (200, 409) or answer.status_code >= 500, answer.text

    async def look(self, campaign: str) -> Any:
        """The campaign, whose counts add up; None while nobody serves it."""
        try:
            answer = await self.ask("GET", f"/v1/campaigns/{campaign}")
        except httpx.TransportError:
            return None
        assert answer.status_code == 200 or answer.status_code >= 500, answer.text
        return conserved(answer.json()) if answer.status_code == 200 else None

    async def settled(self, campaign: str, recipients: int, timeout_s: float = 90.0) -> Any:
        """Look until all is said and has its last word, but for those whose answer was lost."""
        view = None
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    view = await self.look(campaign) or view
                    if view and _is_settled(view, recipients):
                        return view
                    await asyncio.sleep(0.25)
        except TimeoutError:
            pytest.fail(f"it does not come to an end: {view}")


def _is_settled(view: Any, recipients: int) -> bool:
    if view["recipients"] < recipients or view["pending"] or view["awaiting"] > view["ambiguous"]:
        return False
    return view["state"] in ("finished", "cancelled") or view["ambiguous"] > 0


@pytest.fixture
async def marketer(running: Platform, tmp_path: Path) -> AsyncIterator[Marketer]:
    headers = {"Authorization": f"Bearer {running.env['CARILLON_API_KEY']}"}
    running.simulator("/reset", "POST")
    async with httpx.AsyncClient(base_url=running.env["CARILLON_URL"], headers=headers, timeout=30) as client:
        yield Marketer(running, tmp_path, client)


def faults(running: Platform, **given: Any) -> None:
    running.simulator("/faults", "PUT", {"rules": False, "receipt_delay_s": 0.2, **given})


def numbers_from(first: int, count: int) -> list[str]:
    return [f"336{number:08d}" for number in range(first, first + count)]


async def until_accepted(running: Platform, count: int) -> None:
    async with asyncio.timeout(60):
        while (await asyncio.to_thread(running.simulator, "/stats"))["accepted"] < count:
            await asyncio.sleep(0.05)


def texts(running: Platform) -> dict[str, str]:
    return {each["number"]: each["latest"]["text"] for each in running.simulator("/handsets")["handsets"]}


async def test_four_rows_of_excel_a_group_and_everyone(running: Platform, marketer: Marketer, tmp_path: Path) -> None:
    faults(running)
    file = tmp_path / "contacts.csv"
    file.write_bytes("".join(f"{row}\r\n" for row in ROWS).encode("cp1252"))
    imported = await marketer.carillon("contacts", "import", str(file))
    assert (imported["counts"]["created"], imported["counts"]["refused"]) == (4, 0)
    assert [group["name"] for group in imported["groups_created"]] == ["NomGroupe"]

    async def sent(*words: str) -> Any:
        made = await marketer.carillon("campaign", "create", "--name", "N", *words)
        await marketer.carillon("campaign", "start", made["id"])
        await marketer.carillon("campaign", "watch", made["id"])
        return await marketer.carillon("campaign", "show", made["id"])

    shown = await sent("--group", "nomgroupe", "--text", "Bonjour {name|vous}")
    assert texts(running) == {"33687654321": "Bonjour Hélène", "33687541257": "Bonjour vous"}
    assert shown.keys() >= FIELDS
    assert (shown["state"], shown["recipients"], shown["sent"], shown["delivered"]) == ("finished", 2, 2, 2)
    shown = await sent("--all", "--text", "Bonjour {name|vous}")
    assert texts(running) == {
        "33611223344": "Bonjour vous",
        "33612345678": "Bonjour Zoé",
        "33687654321": "Bonjour Hélène",
        "33687541257": "Bonjour vous",
    }
    assert (shown["recipients"], shown["delivered"], shown["pending"]) == (4, 4, 0)
    assert running.simulator("/stats")["accepted"] == 6


async def test_killed_processes_skip_nobody_and_write_to_nobody_twice(running: Platform, marketer: Marketer) -> None:
    faults(running, answer_delay_s=0.1)  # answers are on their way whenever the dispatcher dies
    numbers = numbers_from(1_000_000, 5_000)
    campaign = await marketer.campaign(numbers, "--rate", "30000")
    observed = asyncio.create_task(marketer.settled(campaign, 5_000))
    for victim, at in (("campaign-scheduler", 600), ("contacts", 1_200), ("dispatcher", 2_500)):
        await until_accepted(running, at)
        running.kill(victim)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(running.up)
    view = await observed
    ambiguous = await asyncio.to_thread(running.listed, "ambiguous")
    counts = running.simulator("/counts")
    assert {number: count for number, count in counts.items() if count > 1} == {}
    assert set(numbers) - counts.keys() <= set(ambiguous.values())
    assert (view["recipients"], view["sent"], view["ambiguous"]) == (5_000, 5_000, len(ambiguous))
    assert view["delivered"] == 5_000 - len(ambiguous)


async def test_a_stop_in_the_middle_is_kept_within_a_second(running: Platform, marketer: Marketer) -> None:
    faults(running, slow=400)  # the backlog lies with the dispatcher, and the rest is not said yet
    numbers = numbers_from(2_000_000, 4_000)
    campaign = await marketer.campaign(numbers, "--rate", "40000")
    observed = asyncio.create_task(marketer.settled(campaign, 4_000))
    await until_accepted(running, 800)
    stopped = numbers[50::100]
    answer = await marketer.ask("POST", "/v1/suppressions", json={"numbers": stopped, "evidence": "test"})
    committed_s = time.monotonic()
    assert answer.json()["added"] == len(stopped)
    await asyncio.sleep(committed_s + 1.0 - time.monotonic())
    after_a_second = (await asyncio.to_thread(running.simulator, "/counts")).keys() & set(stopped)
    assert len(after_a_second) < len(stopped) - 5, "the campaign was over before the STOP could be tested"
    view = await observed
    counts = running.simulator("/counts")
    assert counts.keys() & set(stopped) == after_a_second
    assert view["suppressed"] == len(stopped) - len(after_a_second)
    assert view["sent"] == len(counts) == 4_000 - view["suppressed"]


async def test_random_scripts_and_a_scheduler_that_dies(running: Platform, marketer: Marketer) -> None:
    """All scripts at once, each on a campaign of its own, while the scheduler is killed three times."""
    faults(running, undelivered_rate=0.05)
    chances = [random.Random(seed) for seed in range(SCRIPTS)]
    people = [
        numbers_from(3_000_000 + seed * 10_000, chance.choice([1, 499, 700])) for seed, chance in enumerate(chances)
    ]
    stopped = {number for some in people for number in some[7::50]}
    await marketer.ask("POST", "/v1/suppressions", json={"numbers": sorted(stopped), "evidence": "test"})
    rates = [chance.choice([None, 6_000, 30_000]) for chance in chances]
    drafts = [await marketer.draft(some, rate_per_minute=rate) for some, rate in zip(people, rates, strict=True)]
    async with asyncio.TaskGroup() as group:
        playing = [
            group.create_task(_play(marketer, id_, len(some), chance))
            for id_, some, chance in zip(drafts, people, chances, strict=True)
        ]
        for _ in range(3):
            await asyncio.sleep(1.0)
            running.kill("campaign-scheduler")
            await asyncio.to_thread(running.up)
    views = [played.result() for played in playing]
    counts = running.simulator("/counts")
    assert set(counts.values()) <= {1}
    assert not counts.keys() & stopped
    for view, some in zip(views, people, strict=True):
        assert view["recipients"] == len(some)
        assert view["sent"] == len(counts.keys() & set(some))
        held_back = len(stopped & set(some))
        assert view["suppressed"] == held_back or (view["state"] == "cancelled" and view["suppressed"] < held_back)
    assert {view["state"] for view in views} == {"finished", "cancelled"}


async def _play(marketer: Marketer, campaign: str, recipients: int, chance: random.Random) -> Any:
    path = f"/v1/campaigns/{campaign}"
    while (view := await marketer.look(campaign)) is None or view["state"] == "draft":
        await marketer.act("POST", f"{path}:start")
    words = ["pause", "resume", "resume", "rate", "look", *(["cancel"] if chance.random() < 0.4 else [])]
    for _ in range(12):
        await asyncio.sleep(chance.random())
        word = chance.choice(words)
        if word == "rate":
            await marketer.act("PATCH", path, {"rate_per_minute": chance.choice([None, 6_000, 90_000])})
        elif word != "look":
            await marketer.act("POST", f"{path}:{word}")
        await marketer.look(campaign)
    while (view := await marketer.look(campaign)) is None or _is_slow(view):
        await marketer.act("POST", f"{path}:resume")
        await marketer.act("PATCH", path, {"rate_per_minute": None})
        await asyncio.sleep(0.2)
    return await marketer.settled(campaign, recipients)


def _is_slow(view: Any) -> bool:
    return view["state"] == "paused" or (view["state"] == "running" and view["rate_per_minute"] is not None)


async def test_in_the_end_every_campaign_has_ended(running: Platform, marketer: Marketer) -> None:
    """Messages whose answer was lost are held, and lost by the account's deadline."""
    async with asyncio.timeout(120):
        while True:
            campaigns = (await marketer.ask("GET", "/v1/campaigns?limit=100")).json()["items"]
            assert all(conserved(campaign) for campaign in campaigns)
            if all(campaign["state"] in ("finished", "cancelled") for campaign in campaigns):
                return
            await asyncio.sleep(0.5)
