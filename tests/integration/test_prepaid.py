"""Prepaid credit on the whole platform, one process as `carillon up` starts it: by commands, by card, by message."""

import asyncio
import csv
import io
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from carillon.mongo import Mongo
from carillon.runtime.money import parse_amount
from carillon_cli import main
from carillon_cli import up as platform
from carillon_cli.api import AdminApi
from carillon_cli.places import find_places
from carillon_cli.servers import Home
from carillon_cli.servers.ports import choose_ports
from ingest.store.day_quotas import DayQuotas, chunk_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

PRICE = 45_000  # of one part to France, in the price list below
PRICES = "prefix;destination;price\r\n33;France;0.0450\r\n49;Germany;0.0700\r\n"


@pytest.fixture(scope="module")
def home(amqp_url: str, mongo_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    patch = pytest.MonkeyPatch()
    home = Home(tmp_path_factory.mktemp("prepaid"))
    patch.setenv("CARILLON_AMQP_URL", amqp_url)
    patch.setenv("CARILLON_MONGO_URL", mongo_url)
    patch.setenv("CARILLON_MONGO_PREFIX", "prepaid_")
    patch.setenv("CARILLON_HOME", str(home.path))
    try:
        platform.bring_up(home, choose_ports(home.path, ["front"], 16_100)["front"], False, lambda _: None)
        yield home
    finally:
        platform.bring_down(home, lambda _: None)
        patch.undo()


def carillon(*words: str) -> Result:
    """A command, as an operator of the platform types it."""
    return CliRunner().invoke(main.app, list(words))


def test_accounts_prices_and_credit_by_commands(home: Home, tmp_path: Path) -> None:
    made = carillon("account", "create", "Shop", "--prepaid")
    assert made.exit_code == 0, made.output
    account = made.output.strip()
    assert account.startswith("acc_")
    for _ in range(2):  # the same key again changes nothing
        assert carillon("account", "topup", account, "12.50", "--key", "invoice-1").output == "balance 12.50 EUR\n"
    assert "balance 7.50 EUR" in carillon("account", "topup", "--key", "invoice-2", "--", account, "-5").output
    shown = carillon("account", "show", account).output
    assert "prepaid" in shown
    assert "balance 7.50 EUR, available 7.50 EUR" in shown
    assert carillon("account", "topup", account, "many", "--key", "x").exit_code == 2
    unknown = carillon("account", "show", "acc_nobody")
    assert unknown.exit_code == 1
    assert "no account has this id" in unknown.output

    file = tmp_path / "prices.csv"
    file.write_text(PRICES, newline="")
    imported = carillon("prices", "import", str(file), "--name", "Test")
    assert imported.output.endswith("2 rates\n"), imported.output
    price_list = imported.output.split()[0]
    exported = carillon("prices", "export", price_list).output
    assert "33;France;0.0450;;" in exported
    file.write_text(PRICES + "x;Nowhere;dear\r\n", newline="")
    wrong = carillon("prices", "import", str(file), "--list", price_list)
    assert wrong.exit_code == 1
    assert "line" in wrong.output
    assert carillon("prices", "export", price_list).output == exported
    assert price_list in carillon("prices", "export").output

    checked = carillon("ledger", "check")
    assert (checked.exit_code, checked.output) == (0, "the ledger balances\n")


class Shop:
    """A prepaid account of its own price list, over the public address."""

    def __init__(self, home: Home) -> None:
        places = find_places(home)
        self.url = places.url
        self.admin = AdminApi(places.url, places.admin_token)
        price_list = self.admin.call("POST", "/admin/price-lists", {"name": "Shop's", "currency": "EUR"})["id"]
        self.admin.call_raw("PUT", f"/admin/price-lists/{price_list}/rates", PRICES.encode(), "text/csv")
        body = {"name": "Shop", "prepaid": True, "price_list": price_list}
        self.id = self.admin.call("POST", "/admin/accounts", body)["id"]
        key = self.admin.call("POST", f"/admin/accounts/{self.id}/api-keys", {})["key"]
        self.api = AdminApi(places.url, key)

    def pay_by_card(self, micros: int) -> None:
        """On the test provider's page, as a browser does."""
        topup = self.api.call("POST", "/v1/topups", {"amount_micros": micros})
        form = {"do": "pay", "card": "4242 4242 4242 4242", "expiry": "12/34", "cvc": "123"}
        request = urllib.request.Request(topup["checkout_url"], urllib.parse.urlencode(form).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert "Paid" in answer.read().decode()
        assert self.api.call("GET", f"/v1/topups/{topup['id']}")["state"] == "paid"

    def send(self, number: str) -> dict[str, Any]:
        """One result; refusals have an `error`."""
        sent = self.api.call("POST", "/v1/messages", {"messages": [{"to": number, "text": "Hello"}]})
        result: dict[str, Any] = sent["results"][0]
        return result

    def status(self, message: str) -> str:
        try:
            return str(self.api.call("GET", f"/v1/messages/{message}")["status"])
        except Exception:  # noqa: BLE001  recorded in a moment
            return ""

    def balance(self) -> dict[str, Any]:
        balance: dict[str, Any] = self.api.call("GET", "/v1/ledger/balance")
        return balance


def becomes(seen: Callable[[], object], wanted: object, within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while (last := seen()) != wanted:
        assert time.monotonic() < deadline, f"{last}, not {wanted}"
        time.sleep(0.1)


def ready(shop: Shop) -> None:
    """Its price list and its key have reached ingest."""
    quote = {"to": "33614000100", "text": "Hello"}

    def price() -> object:
        try:
            return shop.api.call("POST", "/v1/messages/quote", quote)["price_micros"]
        except Exception as error:  # noqa: BLE001
            return error

    becomes(price, PRICE)


def test_every_fate_of_a_message_is_charged_by_the_rule(home: Home) -> None:
    """What an operator took is paid for, whatever became of it; what it did not take costs nothing."""
    shop = Shop(home)
    ready(shop)
    assert shop.send("33614000100")["error"]["code"] == "credit_exhausted"
    shop.pay_by_card(5_000_000)
    becomes(lambda: "error" in shop.send("33614000101"), False)
    shop.api.call("POST", "/v1/suppressions", {"numbers": ["33614990000"]})
    fates = {
        "33614000102": "delivered", "33614010001": "undelivered", "33614010002": "undelivered",
        "33614010006": "refused", "33614010007": "delivered",
    }  # fmt: skip
    sent = {number: shop.send(number)["id"] for number in fates}
    for number, fate in fates.items():
        becomes(lambda: shop.status(sent[number]), fate)  # noqa: B023
    becomes(lambda: shop.send("33614990000").get("error", {}).get("code"), "suppressed")
    assert shop.send("4915112345678")["parts"] == 1
    assert shop.send("37121234567")["error"]["code"] == "no_price"
    # five taken by operators to France (the one before the suppression included), one to Germany; one refused
    spent = 5 * PRICE + 70_000
    becomes(lambda: (shop.balance()["balance_micros"], shop.balance()["held_micros"]), (5_000_000 - spent, 0))
    checked = carillon("ledger", "check")
    assert (checked.exit_code, checked.output) == (0, "the ledger balances\n")
    month = time.strftime("%Y-%m", time.gmtime())
    text = shop.api.call_raw("GET", f"/v1/ledger/statements/{month}.csv", None).decode()
    rows = list(csv.DictReader(io.StringIO(text), delimiter=";"))
    assert {row["country"]: row["messages"] for row in rows if row["record"] == "destination"} == {"FR": "5", "DE": "1"}
    [closing] = [row for row in rows if row["record"] == "closing"]
    assert parse_amount(closing["amount"]) == 5_000_000 - spent


async def test_a_days_quota_is_exact_over_all_processes(mongo_url: str, mongo_prefix: str) -> None:
    mongo = Mongo(mongo_url, prefix=mongo_prefix)
    await mongo.start()
    days = [DayQuotas(mongo.database("ingest")) for _ in range(4)]
    await days[0].start()
    quota, taken = 1_003, 0
    assert chunk_of(quota) == 5

    async def process(own: DayQuotas) -> int:
        chunks = 0
        while True:
            granted, _ = await own.take("acc_1", "2026-11-23", quota)
            if not granted:
                return chunks
            chunks += granted

    taken = sum(await asyncio.gather(*(process(own) for own in days)))
    assert taken == quota
    await days[1].give_back("acc_1", "2026-11-23", 2)
    assert await days[0].take("acc_1", "2026-11-23", quota) == (2, quota)
    assert (await days[0].take("acc_1", "2026-11-24", quota))[0] == 5
    assert (await days[0].take("acc_1", "2026-11-23", 10))[0] == 0  # a quota that was lowered
    await mongo.stop()


def test_an_unusual_country_is_held_until_it_is_allowed(home: Home) -> None:
    shop = Shop(home)
    ready(shop)
    shop.pay_by_card(5_000_000)
    shop.admin.call("PATCH", f"/admin/accounts/{shop.id}", {"unusual_per_hour": 3, "quota_per_day": 1_000})
    becomes(lambda: shop.send("4915112345678").get("error", {}).get("code"), "destination_unusual")
    becomes(lambda: shop.api.call("GET", "/v1/account")["held_countries"], ["DE"])
    assert "error" not in shop.send("33614000104")
    assert shop.api.call("PUT", "/v1/account/countries/de")["usual_countries"] == ["DE"]
    becomes(lambda: "error" in shop.send("4915112345678"), False)
    assert shop.api.call("GET", "/v1/account")["held_countries"] == []
