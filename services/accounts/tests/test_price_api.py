"""Price lists over ASGI, on a real database: what the platform team puts in is what an account pays."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest

from accounts import admin_api, own_api
from accounts.handlers import ChangeAccount
from accounts.prices import api
from accounts.prices.handlers import ChangePrices, SayAllPrices, SayPendingPrices
from accounts.prices.store import PriceStore
from accounts.problems import TRANSLATIONS
from accounts.store import AccountStore
from carillon.bus import BusDownError
from carillon.copies import PriceCopy
from carillon.events.account import AccountChanged
from carillon.events.base import Record
from carillon.events.catalogue import PRICES_CHANGED, Event
from carillon.events.prices import PriceListChanged, PriceRate
from carillon.http.app import create_app
from carillon.mongo import Mongo
from carillon.testing.bus import MemoryBus
from carillon.testing.clock import ManualClock

pytestmark = pytest.mark.integration

TOKEN = "the-platforms-own-token"
Json = dict[str, Any]


class BusAway(MemoryBus):
    """A broker that can be away."""

    away = False

    async def publish(self, event: Event, records: Sequence[Record], **more: Any) -> None:
        if self.away:
            raise BusDownError("away")
        await super().publish(event, records, **more)


class Platform:
    def __init__(self, mongo: Mongo) -> None:
        database = mongo.database("accounts")
        self.bus, self.clock = BusAway(), ManualClock()
        self.accounts, self.store = AccountStore(database), PriceStore(database)
        change = ChangeAccount(self.accounts, self.bus, self.clock)
        prices = ChangePrices(self.store, self.bus, self.clock)
        self.app = create_app(
            "Carillon accounts",
            routers=[
                admin_api.routes(self.accounts, change, self.clock, TOKEN),
                api.admin_routes(self.store, prices, self.clock, TOKEN),
                api.own_routes(self.store, own_api.account_of_key(self.accounts, self.clock), self.clock),
            ],
            translations=TRANSLATIONS,
        )
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://accounts")

    async def ask(self, method: str, path: str, *, token: str = TOKEN, **more: Any) -> httpx.Response:
        return await self.client.request(method, path, headers={"Authorization": f"Bearer {token}"}, **more)

    async def key(self, **fields: Any) -> str:
        made = (await self.ask("POST", "/admin/accounts", json={"name": "Shop", **fields})).json()
        key: str = (await self.ask("POST", f"/admin/accounts/{made['id']}/api-keys", json={})).json()["key"]
        return key

    async def price_list(self, csv: str = "", **fields: Any) -> str:
        made = (await self.ask("POST", "/admin/price-lists", json={"name": "List", **fields})).json()
        if csv:
            put = await self.ask("PUT", f"/admin/price-lists/{made['id']}/rates", content=csv)
            assert put.status_code == 200, put.text
        list_id: str = made["id"]
        return list_id


@pytest.fixture
async def mongo(mongo_url: str, mongo_prefix: str) -> AsyncIterator[Mongo]:
    mongo = Mongo(mongo_url, prefix=mongo_prefix)
    await mongo.start()
    yield mongo
    await mongo.stop()


@pytest.fixture
async def platform(mongo: Mongo) -> Platform:
    platform = Platform(mongo)
    await platform.accounts.start()
    await platform.store.start()
    return platform


async def test_an_account_pays_its_own_list_or_the_newest_default_less_its_discount(platform: Platform) -> None:
    await platform.price_list("33;France;0.05\n", default=True)
    await platform.price_list("33;France;0.04\n;elsewhere;0.1\n", default=True)
    await platform.price_list("33;France;0.01\n", default=True, currency="USD")
    own = await platform.price_list("33;France;0.02\n")
    keys = [await platform.key(), await platform.key(price_list=own, discount_permille=100)]
    keys.append(await platform.key(currency="CHF"))
    answers = [(await platform.ask("GET", "/v1/prices/33612345678", token=key)).json() for key in keys]
    assert [answer["price_micros"] for answer in answers] == [40_000, 18_000, None]
    assert answers[0] == {"number": "33612345678", "country": "FR", "price_micros": 40_000, "currency": "EUR"}
    listed = (await platform.ask("GET", "/v1/prices?search=fra", token=keys[1])).json()["items"]
    assert listed == [{"prefix": "33", "destination": "France", "price_micros": 18_000, "currency": "EUR"}]


async def test_a_csv_goes_in_and_comes_out_whole_or_not_at_all(platform: Platform) -> None:
    list_id = await platform.price_list("33;France;0.05\n")
    path = f"/admin/price-lists/{list_id}/rates"
    refused = await platform.ask("PUT", path, content="33;France;0.05\n34;Spain;cheap\n")
    assert (refused.status_code, refused.json()["code"]) == (422, "csv_invalid")
    assert refused.json()["errors"][0]["pointer"] == "#/lines/2"
    assert (await platform.ask("PUT", path, content=b"\xff\xfe")).status_code == 422
    out = await platform.ask("GET", path)
    assert out.text == "prefix;destination;price;valid_from;valid_until\r\n33;France;0.0500;;\r\n"
    assert (await platform.ask("GET", "/admin/price-lists/prl_0/rates")).status_code == 404
    assert (await platform.ask("GET", path, token="somebody")).status_code == 401


async def test_the_example_list_has_every_country(platform: Platform) -> None:
    made = (await platform.ask("POST", "/admin/price-lists", json={"name": "Example", "example": True})).json()
    assert made["rates"] >= 200
    assert [known["id"] for known in (await platform.ask("GET", "/admin/price-lists")).json()["items"]] == [made["id"]]


async def test_what_the_broker_did_not_hear_is_said_later_and_a_copy_answers_as_the_api(platform: Platform) -> None:
    platform.bus.away = True
    list_id = await platform.price_list("33;France;0.05\n", default=True)
    assert platform.bus.records(PRICES_CHANGED) == []
    platform.bus.away = False
    await SayPendingPrices(platform.store, platform.bus).sweep()
    await SayPendingPrices(platform.store, platform.bus).sweep()
    said = platform.bus.records(PRICES_CHANGED)
    assert [record.version for record in said if isinstance(record, PriceListChanged)] == [2]
    await SayAllPrices(platform.store, platform.bus).handle([])
    assert len(platform.bus.records(PRICES_CHANGED)) == 2
    assert isinstance(said[0], PriceListChanged)
    assert said[0].id == list_id


async def test_a_copy_of_prices_keeps_the_newest_over_a_restart(mongo: Mongo) -> None:
    account = AccountChanged(id="acc_1", version=1)
    bus = MemoryBus()
    copy = PriceCopy(bus, mongo.database("ingest"), service="ingest", process="p1")
    await bus.start()
    await copy.start()
    assert copy.tariff_for(account) is None
    for version, micros in ((2, 20_000), (1, 10_000)):
        rates = [PriceRate(prefix="33", micros=micros)]
        said = PriceListChanged(id="prl_1", version=version, currency="EUR", default=True, rates=rates)
        await bus.publish(PRICES_CHANGED, [said])
    await bus.idle()
    await copy.stop()
    again = PriceCopy(MemoryBus(), mongo.database("ingest"), service="ingest", process="p2")
    await again.start()
    tariff = again.tariff_for(account)
    assert tariff is not None
    assert tariff.price("33612345678", 2, 0) == 40_000
    await again.stop()
