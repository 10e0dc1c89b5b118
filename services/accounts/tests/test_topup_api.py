"""Top-ups over ASGI, on a real database: credit comes with the provider's signed word, once."""

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from accounts import admin_api, own_api
from accounts.credit import api as credit_api
from accounts.credit.ledger import Ledger
from accounts.handlers import ChangeAccount
from accounts.problems import TRANSLATIONS
from accounts.settings import Settings
from accounts.store import AccountStore
from accounts.topups.embedded import EmbeddedProvider
from accounts.topups.payment import EventKind, PaymentEvent
from accounts.topups.wiring import topups_of
from carillon.http.app import create_app
from carillon.mongo import Mongo
from carillon.testing.bus import MemoryBus
from carillon.testing.clock import ManualClock

pytestmark = pytest.mark.integration

TOKEN = "the-platforms-own-token"
PAID, DECLINED, CONFIRM = "4242 4242 4242 4242", "4000 0000 0000 0002", "4000 0025 0000 3155"
EUROS_25 = 25_000_000


class Platform:
    """accounts with the test provider, or without any."""

    def __init__(self, mongo: Mongo, **settings: Any) -> None:
        database = mongo.database("accounts")
        self.bus, self.clock = MemoryBus(), ManualClock()
        self.accounts, self.ledger = AccountStore(database), Ledger(mongo, database)
        change = ChangeAccount(self.accounts, self.bus, self.clock)
        of_key = own_api.account_of_key(self.accounts, self.clock)
        given = Settings(public_url="http://platform", **settings)
        self.parts, routers = topups_of(given, mongo, self.ledger, self.clock, of_key)
        self.provider = next((part for part in self.parts if isinstance(part, EmbeddedProvider)), None)
        app = create_app(
            "Carillon accounts",
            routers=[
                admin_api.routes(self.accounts, change, self.clock, TOKEN),
                credit_api.admin_routes(self.ledger, self.accounts, self.clock, TOKEN),
                credit_api.own_routes(self.ledger, of_key, self.clock),
                *routers,
            ],
            translations=TRANSLATIONS,
        )
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://platform")
        self.account = self.key = ""

    async def start(self) -> None:
        await self.accounts.start()
        await self.ledger.start()
        for part in self.parts[:2]:  # not the sweeper: tests call it
            await part.start()
        self.account, self.key = await self.add_account()

    async def add_account(self) -> tuple[str, str]:
        made = (await self.ask("POST", "/admin/accounts", key=TOKEN, json={"name": "A & B", "prepaid": True})).json()
        path = f"/admin/accounts/{made['id']}/api-keys"
        return made["id"], (await self.ask("POST", path, key=TOKEN, json={})).json()["key"]

    async def ask(self, method: str, path: str, *, key: str = "", idem: str = "", **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key or self.key}", **({"Idempotency-Key": idem} if idem else {})}
        return await self.client.request(method, path, headers=headers, **more)

    async def open(self, micros: int = EUROS_25, **body: Any) -> dict[str, Any]:
        answer = await self.ask("POST", "/v1/topups", json={"amount_micros": micros, **body})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def press(self, topup: dict[str, Any], do: str, card: str = "") -> httpx.Response:
        """One button of the checkout page."""
        path = topup["checkout_url"].removeprefix("http://platform")
        return await self.client.post(path, data={"do": do, "card": card, "expiry": "12/34", "cvc": "123"})

    async def state(self, topup: dict[str, Any]) -> str:
        return str((await self.ask("GET", f"/v1/topups/{topup['id']}")).json()["state"])

    async def balance(self) -> int:
        return int((await self.ask("GET", "/v1/ledger/balance")).json()["balance_micros"])

    async def tell(self, event: PaymentEvent) -> httpx.Response:
        """The provider's word, at the webhook."""
        assert self.provider is not None
        body = msgspec.json.encode(event)
        headers = self.provider.sign(body, int(time.time()))
        return await self.client.post("/v1/topups/webhook/test", content=body, headers=headers)

    async def balances(self) -> bool:
        return [line async for line in self.ledger.trial_balance()] == []


@pytest.fixture
async def mongo(mongo_url: str, mongo_prefix: str) -> AsyncIterator[Mongo]:
    mongo = Mongo(mongo_url, prefix=mongo_prefix)
    await mongo.start()
    yield mongo
    await mongo.stop()


@pytest.fixture
async def platform(mongo: Mongo) -> Platform:
    platform = Platform(mongo, test_payments=True)
    await platform.start()
    return platform


async def test_a_paid_checkout_is_credit(platform: Platform) -> None:
    topup = await platform.open(return_url="https://shop.example/back?a=1")
    assert (topup["state"], await platform.balance()) == ("open", 0)
    page = await platform.client.get(topup["checkout_url"])
    assert "25.00 EUR" in page.text
    assert "A &amp; B" in page.text
    assert "form-action 'self' https://shop.example" in page.headers["content-security-policy"]
    back = await platform.press(topup, "pay", PAID)
    assert back.status_code == 303
    assert back.headers["location"] == f"https://shop.example/back?a=1&topup={topup['id']}&state=paid"
    assert (await platform.state(topup), await platform.balance()) == ("paid", EUROS_25)
    for _ in range(2):
        await platform.press(topup, "pay", PAID)
    assert await platform.balance() == EUROS_25
    [entry] = (await platform.ask("GET", "/v1/ledger")).json()["items"]
    assert (entry["kind"], entry["ref"], entry["id"]) == ("topup", topup["id"], f"pay_test_tpi_{topup['id']}")
    shown = (await platform.ask("GET", f"/v1/topups/{topup['id']}")).json()
    assert (shown["paid_micros"], shown["checkout_url"]) == (EUROS_25, None)
    assert await platform.balances()


async def test_a_declined_card_may_be_followed_by_a_good_one(platform: Platform) -> None:
    topup = await platform.open()
    for card, said in ((DECLINED, "declined"), ("4242", "no card number"), ("5555555555554444", "Only test cards")):
        page = await platform.press(topup, "pay", card)
        assert re.search(f'role="alert">[^<]*{said}', page.text), page.text
    assert (await platform.state(topup), await platform.balance()) == ("open", 0)
    await platform.press(topup, "pay", PAID)
    assert await platform.balance() == EUROS_25


async def test_a_card_that_wants_confirmation_is_charged_after_it(platform: Platform) -> None:
    topup = await platform.open()
    await platform.press(topup, "pay", CONFIRM)
    assert "is it you" in (await platform.client.get(topup["checkout_url"])).text
    assert "did not confirm" in (await platform.press(topup, "refuse")).text
    assert await platform.balance() == 0
    await platform.press(topup, "pay", CONFIRM)
    await platform.press(topup, "confirm")
    assert (await platform.state(topup), await platform.balance()) == ("paid", EUROS_25)


async def test_a_cancelled_checkout_is_over(platform: Platform) -> None:
    topup = await platform.open()
    await platform.press(topup, "cancel")
    await platform.press(topup, "pay", PAID)
    assert "Cancelled" in (await platform.client.get(topup["checkout_url"])).text
    assert (await platform.state(topup), await platform.balance()) == ("expired", 0)


async def test_a_refund_and_a_dispute_take_what_was_given_even_below_zero(platform: Platform) -> None:
    topup = await platform.open()
    await platform.press(topup, "pay", PAID)
    spent = {"amount_micros": -20_000_000, "key": "spent"}
    await platform.ask("POST", f"/admin/accounts/{platform.account}/credit", key=TOKEN, json=spent)
    await platform.press(topup, "dispute")
    assert (await platform.state(topup), await platform.balance()) == ("disputed", -20_000_000)
    await platform.press(topup, "win")
    assert (await platform.state(topup), await platform.balance()) == ("paid", 5_000_000)
    for _ in range(2):
        await platform.press(topup, "refund")
    assert (await platform.state(topup), await platform.balance()) == ("refunded", -20_000_000)
    assert await platform.balances()


async def test_an_event_that_was_not_taken_is_told_again(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    topup = await platform.open()
    assert platform.provider is not None

    class DiedError(Exception):
        pass

    async def die(*_: object) -> None:
        raise DiedError

    with monkeypatch.context() as patch:
        patch.setattr(platform.provider, "_deliver", die)
        checkout = await platform.provider.find(topup["id"])
        assert checkout is not None
        with pytest.raises(DiedError):
            await platform.provider.pay(checkout)
    assert await platform.balance() == 0
    for _ in range(2):
        await platform.provider.sweep()
    assert await platform.balance() == EUROS_25


async def test_only_the_providers_word_counts(platform: Platform) -> None:
    topup = await platform.open()
    event = PaymentEvent(kind="paid", payment="p", topup=topup["id"], micros=EUROS_25, currency="EUR")
    body = msgspec.json.encode(event)
    forged = await platform.client.post(
        "/v1/topups/webhook/test", content=body, headers={"carillon-test-signature": "t=1,v1=0"}
    )
    assert (forged.status_code, forged.json()["code"]) == (400, "signature_invalid")
    elsewhere = await platform.client.post("/v1/topups/webhook/stripe", content=body)
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (404, "provider_unknown")
    assert await platform.balance() == 0
    unknown = await platform.tell(msgspec.structs.replace(event, topup="top_elsewhere", payment="q"))
    assert (unknown.status_code, await platform.balances()) == (204, True)


async def test_a_payment_in_another_currency_is_not_credit(platform: Platform) -> None:
    topup = await platform.open()
    event = PaymentEvent(kind="paid", payment="p", topup=topup["id"], micros=EUROS_25, currency="USD")
    answer = await platform.tell(event)
    assert (answer.status_code, answer.json()["code"]) == (422, "currency_mismatch")
    assert (await platform.balance(), await platform.state(topup)) == (0, "open")


async def test_the_same_key_opens_the_same_checkout(platform: Platform) -> None:
    body = {"amount_micros": EUROS_25}
    answers = await asyncio.gather(*(platform.ask("POST", "/v1/topups", idem="k1", json=body) for _ in range(4)))
    assert {answer.json()["checkout_url"] for answer in answers} == {answers[0].json()["checkout_url"]}
    assert sum(answer.headers.get("idempotency-replayed") == "true" for answer in answers) == 3
    other = await platform.ask("POST", "/v1/topups", idem="k1", json={"amount_micros": 2 * EUROS_25})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert (await platform.ask("POST", "/v1/topups", idem="k2", json=body)).json()["id"] != answers[0].json()["id"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"amount_micros": 1_000_000}, "amount_out_of_range"), ({"amount_micros": 25_000_001}, "amount_indivisible"),
        ({"amount_micros": 0}, "invalid_request"), ({"amount_micros": EUROS_25, "currency": "EUR"}, "invalid_request"),
        ({"amount_micros": EUROS_25, "return_url": "javascript:alert(1)"}, "invalid_request"),
    ],
)  # fmt: skip
async def test_what_is_no_top_up(platform: Platform, body: dict[str, Any], code: str) -> None:
    answer = await platform.ask("POST", "/v1/topups", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_top_ups_are_paged_and_nobody_elses(platform: Platform) -> None:
    made = []
    for _ in range(3):
        made.append((await platform.open())["id"])
        await platform.clock.advance(1)
    first = (await platform.ask("GET", "/v1/topups?limit=2")).json()
    rest = (await platform.ask("GET", f"/v1/topups?limit=2&cursor={first['next']}")).json()
    assert [item["id"] for item in first["items"] + rest["items"]] == made[::-1]
    _, stranger = await platform.add_account()
    assert (await platform.ask("GET", f"/v1/topups/{made[0]}", key=stranger)).status_code == 404
    assert (await platform.ask("GET", "/v1/topups", key=stranger)).json()["items"] == []
    assert (await platform.client.post("/v1/topups", json={"amount_micros": EUROS_25})).status_code == 401


async def test_without_a_provider_it_says_so(mongo: Mongo) -> None:
    platform = Platform(mongo)
    await platform.start()
    answer = await platform.ask("POST", "/v1/topups", json={"amount_micros": EUROS_25})
    assert (answer.status_code, answer.json()["code"]) == (409, "topups_off")
    assert (await platform.client.post("/v1/topups/webhook/test", content=b"{}")).status_code == 404
    assert (await platform.client.get("/test-checkout/top_1")).status_code == 404


async def test_any_script_of_events_told_by_several_at_once_books_what_is_true(platform: Platform) -> None:
    """Repeated, reordered, at the same time; what is known in the end is what the book says."""
    dice = random.Random(11)
    expected = 0
    for number in range(12):
        topup = await platform.open()
        kinds: list[EventKind] = dice.sample(
            ["paid", "refunded", "disputed", "dispute_won", "expired"], dice.randint(1, 5)
        )
        events = [
            PaymentEvent(
                kind=kind,
                payment=None if kind == "expired" else f"p{number}",
                topup=topup["id"] if kind in ("paid", "expired", "refunded") else None,
                micros=10_000_000 if kind == "refunded" else EUROS_25,
                currency="EUR",
                dispute="d" if kind.startswith("dispute") else None,
            )
            for kind in kinds
        ]
        told = events + dice.choices(events, k=4)
        dice.shuffle(told)
        answers = await asyncio.gather(*(platform.tell(event) for event in told))
        assert {answer.status_code for answer in answers} == {204}
        if "paid" in kinds:
            disputed = "disputed" in kinds and "dispute_won" not in kinds
            expected += 0 if disputed else EUROS_25 - (10_000_000 if "refunded" in kinds else 0)
        assert await platform.balance() == expected, (number, kinds)
    assert await platform.balances()
