"""Credit over ASGI, on a real database."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from accounts import admin_api, own_api
from accounts.credit import api
from accounts.credit.ledger import Ledger
from accounts.handlers import ChangeAccount
from accounts.problems import TRANSLATIONS
from accounts.store import AccountStore
from carillon.events.credit import LeaseRequested
from carillon.http.app import create_app
from carillon.mongo import Mongo
from carillon.testing.bus import MemoryBus
from carillon.testing.clock import ManualClock

pytestmark = pytest.mark.integration

TOKEN = "the-platforms-own-token"


class Platform:
    def __init__(self, mongo: Mongo) -> None:
        database = mongo.database("accounts")
        self.bus, self.clock = MemoryBus(), ManualClock()
        self.accounts, self.ledger = AccountStore(database), Ledger(mongo, database)
        change = ChangeAccount(self.accounts, self.bus, self.clock)
        app = create_app(
            "Carillon accounts",
            routers=[
                admin_api.routes(self.accounts, change, self.clock, TOKEN),
                api.admin_routes(self.ledger, self.accounts, self.clock, TOKEN),
                api.own_routes(self.ledger, own_api.account_of_key(self.accounts, self.clock), self.clock),
            ],
            translations=TRANSLATIONS,
        )
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://accounts")

    async def ask(self, method: str, path: str, *, token: str = TOKEN, **more: Any) -> httpx.Response:
        return await self.client.request(method, path, headers={"Authorization": f"Bearer {token}"}, **more)

    async def account(self) -> tuple[str, str]:
        """Id and key of a new prepaid account."""
        made = (await self.ask("POST", "/admin/accounts", json={"name": "Shop", "prepaid": True})).json()
        key = (await self.ask("POST", f"/admin/accounts/{made['id']}/api-keys", json={})).json()["key"]
        return made["id"], key

    async def credit(self, account: str, micros: int, key: str) -> httpx.Response:
        body = {"amount_micros": micros, "key": key}
        return await self.ask("POST", f"/admin/accounts/{account}/credit", json=body)


@pytest.fixture
async def platform(mongo_url: str, mongo_prefix: str) -> AsyncIterator[Platform]:
    mongo = Mongo(mongo_url, prefix=mongo_prefix)
    await mongo.start()
    platform = Platform(mongo)
    await platform.accounts.start()
    await platform.ledger.start()
    yield platform
    await mongo.stop()


async def test_credit_given_twice_under_one_key_counts_once(platform: Platform) -> None:
    account, key = await platform.account()
    for _ in range(2):
        assert (await platform.credit(account, 25_000_000, "invoice-1")).json()["available_micros"] == 25_000_000
    await platform.credit(account, -5_000_000, "correction-1")
    seen = (await platform.ask("GET", "/v1/ledger/balance", token=key)).json()
    assert seen == {
        "currency": "EUR", "prepaid": True, "balance_micros": 20_000_000, "available_micros": 20_000_000,
        "held_micros": 0, "limit_micros": 0,
        "low_balance": False,
    }  # fmt: skip
    assert (await platform.ask("GET", "/admin/ledger/check")).json() == {"balances": True, "wrong": []}


async def test_the_ledger_is_paged_and_is_nobody_elses(platform: Platform) -> None:
    account, key = await platform.account()
    _, stranger = await platform.account()
    for number in range(5):
        await platform.credit(account, 1_000_000, f"n{number}")
    first = (await platform.ask("GET", "/v1/ledger?limit=3", token=key)).json()
    rest = (await platform.ask("GET", f"/v1/ledger?limit=3&cursor={first['next']}", token=key)).json()
    refs = [entry["ref"] for entry in first["items"] + rest["items"]]
    assert refs == [f"n{number}" for number in range(5)]
    assert rest["next"] is None
    assert sum(line["micros"] for line in first["items"][0]["lines"]) == 0
    assert (await platform.ask("GET", "/v1/ledger", token=stranger)).json()["items"] == []
    assert (await platform.ask("GET", "/v1/ledger/balance", token=stranger)).json()["balance_micros"] == 0
    assert (await platform.ask("GET", "/v1/ledger", token="ck_live_nobody")).status_code == 401
    assert (await platform.ask("GET", "/admin/ledger/check", token=key)).status_code == 401


async def test_entries_of_all_kinds_come_in_the_order_of_time(platform: Platform) -> None:
    account, key = await platform.account()
    for number in range(4):  # keys of both kinds, which sort otherwise
        await platform.credit(account, 1_000_000, f"n{number}")
        await _lend(platform, account, f"lse_{number}", 1)
        await platform.clock.advance(1)
    kinds: list[str] = []
    path: str | None = "/v1/ledger?limit=3"
    while path:
        page = (await platform.ask("GET", path, token=key)).json()
        kinds += [entry["kind"] for entry in page["items"]]
        path = f"/v1/ledger?limit=3&cursor={page['next']}" if page["next"] else None
    assert sorted(kinds[0:2]) == sorted(kinds[2:4]) == ["adjustment", "lease"]
    assert len(kinds) == 8


async def test_an_overdraft_may_be_lent_and_not_beyond(platform: Platform) -> None:
    account, _ = await platform.account()
    await platform.credit(account, 100, "n1")
    assert await _lend(platform, account, "lse_1", 101) == 0
    answer = await platform.ask("PUT", f"/admin/accounts/{account}/credit/limit", json={"limit_micros": -50})
    assert answer.json()["limit_micros"] == -50
    assert await _lend(platform, account, "lse_2", 151) == 0
    assert await _lend(platform, account, "lse_3", 150) == 150
    assert (await platform.ask("GET", f"/admin/accounts/{account}/credit")).json()["available_micros"] == -50
    too_much = await platform.ask("PUT", f"/admin/accounts/{account}/credit/limit", json={"limit_micros": 1})
    assert too_much.status_code == 422


async def test_what_does_not_balance_is_told(platform: Platform, mongo_url: str, mongo_prefix: str) -> None:
    account, _ = await platform.account()
    await platform.credit(account, 100, "n1")
    mongo = Mongo(mongo_url, prefix=mongo_prefix)
    await mongo.database("accounts")["balances"].update_one({"_id": account}, {"$inc": {"available": 7}})
    told = (await platform.ask("GET", "/admin/ledger/check")).json()
    assert told["balances"] is False
    assert account in told["wrong"][0]
    await mongo.stop()


async def _lend(platform: Platform, account: str, lease: str, needed: int) -> int:
    asked = LeaseRequested(
        lease=lease,
        account=account,
        process="p1",
        needed_micros=needed,
        wanted_micros=needed,
        at=platform.clock.now_ms(),
    )
    return await platform.ledger.lend(asked, "EUR", platform.clock.now_ms())
