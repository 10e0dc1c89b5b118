"""Guarantees 1, 2 and 4: each process is killed with -9 in the middle of 5,000 messages, and started again.

A real platform, one process per service, every message through the legacy door; the simulator counts what handsets
get and which callbacks come.
"""

import asyncio
import urllib.parse
from collections.abc import Iterator

import aiohttp
import pytest
from tests.integration.platform_rig import Platform, running_platform

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

MESSAGES = 5_000
KILL_AT = 1_500
CONNECTIONS = 32
VICTIMS = ("dispatcher", "receipt", "ingest", "rabbitmq", "mongod")


@pytest.fixture(scope="module")
def running() -> Iterator[Platform]:
    with running_platform("crashes") as one:
        account = one.call("GET", f"{one.env['CARILLON_URL']}/v1/account", token=one.env["CARILLON_API_KEY"])["id"]
        port = one.home.recall("services")["simulator"]
        one.call(
            "PUT",
            f"{one.env['CARILLON_URL']}/admin/accounts/{account}/callback",
            {"url": f"http://127.0.0.1:{port}/simulator/callbacks", "form": "query"},
            one.env["CARILLON_ADMIN_TOKEN"],
        )
        yield one


@pytest.mark.parametrize("victim", VICTIMS)
async def test_nothing_is_lost_and_nothing_is_doubled(running: Platform, victim: str) -> None:
    running.simulator("/reset", "POST")
    running.simulator("/faults", "PUT", {"rules": False, "receipt_delay_s": 0.2})
    killing = asyncio.create_task(_kill_in_the_middle(running, victim))
    accepted = await _push_all(running)
    await killing
    ambiguous = await _settled(running, accepted)

    counts = running.simulator("/counts")
    statuses = running.simulator("/callbacks/messages")
    lost = [number for number in accepted if number not in counts and accepted[number] not in ambiguous]
    assert len(accepted) > MESSAGES / 2
    assert lost == []
    assert {number: count for number, count in counts.items() if count > 1} == {}
    without_final = [
        number
        for number, identifier in accepted.items()
        if identifier not in ambiguous and "handset" not in statuses.get(identifier, ())
    ]
    assert without_final == []
    assert {status for told in statuses.values() for status in told} <= {"operator", "handset"}


async def _push_all(running: Platform) -> dict[str, str]:
    """Push every message, whatever happens meanwhile; number -> id of those that were accepted."""
    env = running.env
    first = running.starting_number
    running.starting_number += MESSAGES
    numbers = iter([f"336{place:08d}" for place in range(first, first + MESSAGES)])
    accepted: dict[str, str] = {}
    credentials = {"login": env["CARILLON_LOGIN"], "password": env["CARILLON_PASSWORD"], "content": "Hello"}
    url = f"{env['CARILLON_URL']}/Ext/{env['CARILLON_DOOR']}.asp?{urllib.parse.urlencode(credentials)}&number="

    async def push(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            while True:  # a client that was not answered, or told to come back, tries again with the same reference
                try:
                    async with session.get(f"{url}{number}&ref={number}") as answer:
                        text = await answer.text()
                        if answer.status == 200:
                            assert text.isdigit(), text
                            accepted[number] = text
                            break
                except (aiohttp.ClientError, TimeoutError):
                    pass
                await asyncio.sleep(0.25)

    timeout = aiohttp.ClientTimeout(total=40)
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        await asyncio.gather(*(push(session) for _ in range(CONNECTIONS)))
    return accepted


async def _kill_in_the_middle(running: Platform, victim: str) -> None:
    while (await asyncio.to_thread(running.simulator, "/stats"))["accepted"] < KILL_AT:
        await asyncio.sleep(0.05)
    running.kill(victim)
    await asyncio.sleep(1.0)
    await asyncio.to_thread(running.up)


async def _settled(running: Platform, accepted: dict[str, str]) -> set[str]:
    """Wait until every message is told to be final, or is listed as ambiguous; the latter's ids."""
    ambiguous: set[str] = set()
    async with asyncio.timeout(120):
        while True:
            statuses = await asyncio.to_thread(running.simulator, "/callbacks/messages")
            open_ = {identifier for identifier in accepted.values() if "handset" not in statuses.get(identifier, ())}
            if open_ <= ambiguous:
                return ambiguous
            await asyncio.sleep(1.0)
            ambiguous = set(await asyncio.to_thread(running.listed, "ambiguous"))
