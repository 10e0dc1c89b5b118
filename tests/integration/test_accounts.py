"""The accounts service on a real RabbitMQ and MongoDB: what it changes reaches the copies that other services keep."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from accounts.main import build
from accounts.settings import Settings
from carillon.bus.rabbit import RabbitBus
from carillon.copies import AccountCopy
from carillon.events.account import AccountChanged
from carillon.mongo import TEMPORARY_ERRORS, Mongo
from carillon.runtime.lifecycle import start_all
from carillon.testing.bus_contract import eventually

pytestmark = pytest.mark.integration

TOKEN = "admin-token-of-this-test"

# A process that has made its change durable and waits for a broker that it never reached: it is killed there.
DYING = """
import asyncio, sys
from functools import partial
from accounts.domain import changes
from accounts.handlers import ChangeAccount
from accounts.store import AccountStore
from carillon.bus.rabbit import RabbitBus
from carillon.mongo import Mongo
from carillon.runtime.clock import SystemClock

async def main(mongo_url, prefix, amqp_url, account):
    store = AccountStore(Mongo(mongo_url, prefix=prefix).database("accounts"))
    change = ChangeAccount(store, RabbitBus(amqp_url, name="dying"), SystemClock(), say_timeout_s=60)
    await change.apply(account, partial(changes.with_fields, fields={"name": "Bakery"}))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def settings(vhost_url: str, mongo_url: str, mongo_prefix: str) -> Settings:
    return Settings(amqp_url=vhost_url, mongo_url=mongo_url, mongo_prefix=mongo_prefix, admin_token=SecretStr(TOKEN))


@asynccontextmanager
async def _accounts(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """One accounts process, and a client of its API."""
    service = build(settings)
    async with AsyncExitStack() as stack:
        await start_all(service.parts, stack)
        yield await stack.enter_async_context(
            httpx.AsyncClient(
                transport=httpx.ASGITransport(service.app),
                base_url="http://accounts",
                headers={"Authorization": f"Bearer {TOKEN}"},
            )
        )


@asynccontextmanager
async def _copy(settings: Settings, service: str = "ingest", process: str = "1") -> AsyncIterator[AccountCopy]:
    """Another service's process, on its own connections."""
    mongo = Mongo(settings.mongo_url, prefix=settings.mongo_prefix)
    bus = RabbitBus(settings.amqp_url, name=f"{service} {process}", temporary=TEMPORARY_ERRORS)
    copy = AccountCopy(bus, mongo.database(service), service=service, process=process)
    async with AsyncExitStack() as stack:
        await start_all([mongo, bus, copy], stack)
        yield copy


async def _post(client: httpx.AsyncClient, path: str, body: dict[str, Any], status: int = 201) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code == status, answer.text
    made: dict[str, Any] = answer.json()
    return made


def _version(copy: AccountCopy, id_: str) -> Callable[[], int]:
    def version() -> int:
        known = copy.by_id(id_)
        return known.version if known else 0

    return version


async def test_a_change_reaches_every_copy_within_a_second(settings: Settings) -> None:
    async with _accounts(settings) as client, _copy(settings) as first, _copy(settings, "receipt") as second:
        made = await _post(client, "/admin/accounts", {"name": "Shop", "country": "FR"})
        path = f"/admin/accounts/{made['id']}"
        for number in range(1, 11):
            body = {"name": f"shop-{number}", "login": "bob", "password": "correct horse"}
            await _post(client, f"{path}/doors", body)
            answered_s = time.monotonic()
            await eventually(lambda number=number: first.by_door(f"shop-{number}"), within_s=1)  # type: ignore[misc]
            await eventually(lambda number=number: second.by_door(f"shop-{number}"), within_s=1)  # type: ignore[misc]
            assert time.monotonic() - answered_s < 1
        key = await _post(client, f"{path}/api-keys", {})
        await eventually(lambda: _keys(first, made["id"]) == [key["id"]], within_s=1)
        await client.delete(f"{path}/api-keys/{key['id']}")
        await eventually(lambda: _keys(first, made["id"]) == [], within_s=1)
        await client.patch(path, json={"state": "suspended"})
        await eventually(lambda: _known(second, made["id"]).state == "suspended", within_s=1)


async def test_two_accounts_processes_change_one_account_at_once(settings: Settings) -> None:
    async with _accounts(settings) as one, _accounts(settings) as two, _copy(settings) as copy:
        made = await _post(one, "/admin/accounts", {"name": "Shop"})
        answers = await asyncio.gather(
            *(
                _post(client, f"/admin/accounts/{made['id']}/doors", {"name": f"door-{n}", "addresses": ["::/0"]})
                for n, client in enumerate([one, two] * 4)
            )
        )
        assert len(answers) == 8
        await eventually(lambda: _version(copy, made["id"])() == 9, within_s=1)
        assert {door.name for door in _known(copy, made["id"]).doors} == {f"door-{n}" for n in range(8)}


async def test_a_service_that_starts_late_gets_all(settings: Settings) -> None:
    async with _accounts(settings) as client:
        ids = {(await _post(client, "/admin/accounts", {"name": f"Shop {n}"}))["id"] for n in range(20)}
        async with _copy(settings) as copy:
            await eventually(lambda: {account.id for account in copy.all()} == ids, within_s=1)


async def test_a_service_that_asked_while_accounts_was_away_gets_all_when_it_is_back(
    settings: Settings,
) -> None:
    async with _accounts(settings) as client:
        made = await _post(client, "/admin/accounts", {"name": "Shop"})
    async with _copy(settings) as copy:
        assert copy.by_id(made["id"]) is None
        async with _accounts(settings):
            await eventually(lambda: copy.by_id(made["id"]), within_s=5)


async def test_what_a_crash_between_write_and_publish_left_is_said_by_the_next_process(
    settings: Settings,
) -> None:
    async with _copy(settings) as copy:
        async with _accounts(settings) as client:
            made = await _post(client, "/admin/accounts", {"name": "Shop"})
            await eventually(lambda: copy.by_id(made["id"]), within_s=1)
        mongo = Mongo(settings.mongo_url, prefix=settings.mongo_prefix)
        accounts = mongo.database("accounts")["accounts"]
        dying = await asyncio.create_subprocess_exec(
            sys.executable, "-c", DYING, settings.mongo_url, settings.mongo_prefix, settings.amqp_url, made["id"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        async with asyncio.timeout(30):
            while not await accounts.count_documents({"pending": {"$exists": True}}):
                assert dying.returncode is None
                await asyncio.sleep(0.02)
        dying.kill()
        await dying.wait()
        assert _known(copy, made["id"]).name == "Shop"
        async with _accounts(settings):
            await eventually(lambda: _known(copy, made["id"]).name == "Bakery", within_s=5)
            async with asyncio.timeout(5):
                while await accounts.count_documents({"pending": {"$exists": True}}):
                    await asyncio.sleep(0.05)
        await mongo.stop()


async def test_the_copy_survives_a_start_while_accounts_is_away(settings: Settings) -> None:
    async with _accounts(settings) as client, _copy(settings) as copy:
        made = await _post(client, "/admin/accounts", {"name": "Shop"})
        await _post(client, f"/admin/accounts/{made['id']}/doors", {"name": "shop", "addresses": ["192.0.2.7"]})
        await eventually(lambda: copy.by_door("shop"), within_s=1)
    async with _copy(settings, process="2") as copy:
        found = copy.by_door("shop")
        assert found is not None
        assert (found[0].id, found[0].version, found[1].addresses) == (made["id"], 2, ["192.0.2.7"])


def _known(copy: AccountCopy, id_: str) -> AccountChanged:
    known = copy.by_id(id_)
    assert known is not None
    return known


def _keys(copy: AccountCopy, id_: str) -> list[str]:
    return [key.id for key in _known(copy, id_).api_keys]
