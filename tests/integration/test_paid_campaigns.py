"""Prepaid accounts' campaigns and scheduled messages: what is quoted is what is charged, once, and never beyond."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace
from tests.integration.campaign_rig import Api, World, account, conserved, people, process_of, scheduler, world_on
from tests.integration.credit_rig import ACCOUNT, Bank, becomes, top_up, wrongs

from accounts.credit.ledger import Ledger
from campaign_scheduler.domain.page import Batch
from campaign_scheduler.store import Stores
from campaign_scheduler.store.pages import messages_of
from carillon.events.audience import AudiencePage, Recipient
from carillon.events.catalogue import ACCOUNT_CHANGED, AUDIENCE_PAGE, MESSAGE_DEFERRED, MESSAGE_STATUS, PRICES_CHANGED
from carillon.events.credit import LEASE_LATER, LeaseRequested
from carillon.events.message import Deferred, Status, StatusChanged
from carillon.events.prices import PriceListChanged, PriceRate
from carillon.mongo import Mongo
from carillon.runtime.clock import SystemClock
from carillon.runtime.ids import MessageIds
from carillon.sms.tariff import Rate, Tariff
from carillon.testing.builders import an_accepted

pytestmark = pytest.mark.integration

PRICE = 45_000
NOWHERE = "34600000000"


class Paying:
    """The world with a bank in it, and what its book says."""

    def __init__(self, world: World, mongo: Mongo, ledger: Ledger) -> None:
        self.world = world
        self.mongo = mongo
        self.ledger = ledger
        self._charges = mongo.database("accounts")["charges"]
        self._version = 1

    async def price(self, api: Api, rates: dict[str, int], discount: int = 0) -> Tariff:
        """Set prices, and wait until the scheduler knows them."""
        self._version += 1
        listed = PriceListChanged(
            id="prl_1",
            version=self._version,
            currency="EUR",
            default=True,
            rates=[PriceRate(prefix=prefix, micros=micros) for prefix, micros in rates.items()],
        )
        await self.world.bus.publish(PRICES_CHANGED, [listed])
        said = account(prepaid=True, version=self._version, discount_permille=discount)
        await self.world.bus.publish(ACCOUNT_CHANGED, [said])
        await api.known(self.world)
        tariff = Tariff([Rate(*rate) for rate in rates.items()], discount_permille=discount)
        made = await api.call("POST", "/v1/templates", {"name": f"P{self._version}", "content": "x"})
        for number in ("33612345678", "4915112345678"):
            while (await self._preview(api, made["id"], number)) != tariff.price(number, 1, 0):
                await asyncio.sleep(0.02)
        return tariff

    async def _preview(self, api: Api, template: str, number: str) -> int | None:
        self.world.people = [Recipient(number=number)]
        view = await api.call("POST", f"/v1/templates/{template}:preview", {"number": f"+{number}"})
        micros: int | None = view["price_micros"]
        return micros

    async def charged(self, ids: set[int]) -> dict[str, int]:
        """Micro-units charged for these messages, by state, when all of them are."""
        while True:
            found = await self._charges.find({"_id": {"$in": list(ids)}}).to_list(None)
            if len(found) == len(ids) and all(one["state"] != "held" for one in found):
                break
            await asyncio.sleep(0.05)
        sums: dict[str, int] = {}
        for one in found:
            sums[one["state"]] = sums.get(one["state"], 0) + one["micros"]
        return sums

    async def total(self) -> int:
        """What the account has left, lent credit included."""
        balance = await self.ledger.balance(ACCOUNT)
        assert balance is not None
        return balance.total


@pytest.fixture
async def paying(vhost_url: str, mongo_url: str, mongo_prefix: str) -> AsyncIterator[Paying]:
    mongo = Mongo(mongo_url, prefix=mongo_prefix)
    await mongo.start()
    ledger = Ledger(mongo, mongo.database("accounts"))
    await ledger.start()
    bank = Bank(vhost_url, mongo, ledger)
    await bank.start()
    async with world_on(vhost_url) as world:
        yield Paying(world, mongo, ledger)
    await bank.bus.stop()
    await mongo.stop()


def _crowd(chance: random.Random) -> list[Recipient]:
    """A few people in three countries, some of whom said STOP."""
    numbers = {
        chance.choice(("336", "337", "49151")) + str(chance.randrange(10**7, 10**8))
        for _ in range(chance.randint(1, 60))
    }
    return [
        Recipient(
            number=number,
            name="x" * chance.choice((0, 5, 170, 330)),
            suppressed="stop" if chance.random() < 0.2 else None,
        )
        for number in sorted(numbers | ({NOWHERE} if chance.random() < 0.5 else set()))
    ]


async def test_a_quote_is_the_bill(paying: Paying, vhost_url: str, mongo_url: str, mongo_prefix: str) -> None:
    """Random prices, discounts, texts and crowds: what was quoted is charged, and what was taken is captured."""
    chance = random.Random(11)
    world = paying.world
    await top_up(paying.ledger, 10**12)
    bill = 0
    async with scheduler(vhost_url, mongo_url, mongo_prefix) as (_, api):
        for _ in range(30):
            rates = {
                "33": chance.randrange(1, 90_000),
                "337": chance.randrange(0, 90_000),
                "49": chance.randrange(1, 90_000),
            }
            tariff = await paying.price(api, rates, chance.choice((0, 0, 33, 500)))
            world.people = _crowd(chance)
            for one in world.people:
                world.fates[one.number] = chance.choice(
                    (("submitted", "delivered"), ("submitted", "lost"), ("refused",))
                )
            path = await api.campaign(text="Hello {name|you}")
            quote = await api.call("POST", f"{path}:quote")
            await api.call("POST", f"{path}:start")
            view = await api.until(path, "finished")
            id_ = path.rpartition("/")[2]
            said = {message.id: message for message in world.accepted if message.campaign == id_}
            prices = {message.id: tariff.price(message.number, message.parts, 0) for message in said.values()}
            assert {message.id: message.price_micros for message in said.values()} == prices
            assert quote["price_micros"] == sum(price or 0 for price in prices.values())
            assert (quote["messages"], quote["currency"]) == (len(said), "EUR")
            assert quote["longest_micros"] >= quote["price_micros"]
            unpriced = [one.number for one in world.people if one.number == NOWHERE and not one.suppressed]
            assert (quote["unpriced"], quote["unpriced_numbers"]) == (len(unpriced), unpriced)
            assert quote["refused"] == ({"no_price": 1} if unpriced else {})
            assert view["refused"] == len(unpriced) + sum(world.fates[m.number] == ("refused",) for m in said.values())
            charged = await paying.charged({id_ for id_, price in prices.items() if price})
            assert sum(charged.values()) == quote["price_micros"]
            taken = sum(prices[m.id] or 0 for m in said.values() if world.fates[m.number] != ("refused",))
            assert charged.get("captured", 0) == taken
            bill += taken
    assert bill > 0
    assert await becomes(paying.ledger, (10**12 - bill, 0, 0))
    assert await wrongs(paying.ledger) == []


async def test_credit_that_runs_out_pauses_and_a_top_up_goes_on(
    paying: Paying, vhost_url: str, mongo_url: str, mongo_prefix: str
) -> None:
    world = paying.world
    await top_up(paying.ledger, 700 * PRICE + 44_999)
    async with scheduler(vhost_url, mongo_url, mongo_prefix) as (_, api):
        await paying.price(api, {"33": PRICE})
        world.people = people(1_200)
        path = await api.campaign()
        assert (await api.call("POST", f"{path}:quote"))["price_micros"] == 1_200 * PRICE
        await api.call("POST", f"{path}:start")
        view = await api.until(path, "paused")
        while view["pending"] > 500:
            view = conserved(await api.call("GET", path))
        assert (view["pause_reason"], view["sent"], view["pending"]) == ("credit_exhausted", 700, 500)
        assert await becomes(paying.ledger, (44_999, 0, 0))
        poor = await api.ask("POST", f"{path}:test", {"to": ["0612345678"]})
        assert (poor.status_code, poor.json()["code"]) == (402, "credit_exhausted")

        await top_up(paying.ledger, 500 * PRICE + 1)  # with what was left: a test besides
        await asyncio.sleep(1.1)  # nobody asks again within a second after a refusal
        assert (await api.call("POST", f"{path}:test", {"to": ["0612345678"]}))["parts"] == 1
        view = await api.call("POST", f"{path}:resume")
        assert (view["state"], view["pause_reason"]) == ("running", None)
        view = await api.until(path, "finished")
    assert (view["recipients"], view["sent"], view["pending"]) == (1_200, 1_200, 0)
    ids = world.ids_by_number(path.rpartition("/")[2])
    assert len(ids) == 1_200
    assert {len(each) for each in ids.values()} == {1}
    assert await becomes(paying.ledger, (0, 0, 0))
    assert await wrongs(paying.ledger) == []


async def test_killed_processes_charge_each_number_once(
    paying: Paying, vhost_url: str, mongo_url: str, mongo_prefix: str
) -> None:
    total = 6_000
    world = paying.world
    await top_up(paying.ledger, 10**12)
    world.answer_twice = True
    async with (
        process_of(vhost_url, mongo_url, mongo_prefix) as (one, api),
        process_of(vhost_url, mongo_url, mongo_prefix) as (two, other),
    ):
        await api.known(world)
        await other.known(world)
        await paying.price(api, {"33": PRICE, "49": 1})
        world.people = people(total)
        path = await api.campaign(rate_per_minute=120_000)
        await api.call("POST", f"{path}:start")
        for place, victim in enumerate((one, two, one)):
            while len(world.accepted) < total * (place + 1) // 5:
                await asyncio.sleep(0.01)
            await victim.kill()
            await victim.start()
        await api.known(world)
        view = await api.until(path, "finished", timeout_s=90)
    assert (view["recipients"], view["delivered"]) == (total, total)
    said: dict[int, set[Any]] = {}
    for message in world.accepted:
        said.setdefault(message.id, set()).add((message.number, message.price_micros, message.lease_id))
    assert len(said) == len({number for each in said.values() for number, _, _ in each}) == total
    assert {len(each) for each in said.values()} == {1}, "who says again says the same number, price and lease"
    assert await paying.charged(set(said)) == {"captured": total * PRICE}
    assert await paying.total() == 10**12 - total * PRICE
    assert await wrongs(paying.ledger) == []


async def test_what_was_paid_and_decided_before_a_crash_is_charged_once_even_if_its_lease_has_ended(
    paying: Paying, vhost_url: str, mongo_url: str, mongo_prefix: str
) -> None:
    world = paying.world
    await top_up(paying.ledger, 10 * PRICE)
    stores = Stores(paying.mongo.database("campaign_scheduler"))
    async with scheduler(vhost_url, mongo_url, mongo_prefix) as (_, api):
        await paying.price(api, {"33": PRICE, "49": 1})
        world.people = people(3)
        path = await api.campaign(start_at="2040-01-01T09:00")
        await api.call("POST", f"{path}:start")
        id_ = path.rpartition("/")[2]
        page = AudiencePage(campaign=id_, account=ACCOUNT, page=0, recipients=world.people, last=True)
        await world.bus.publish(AUDIENCE_PAGE, [page])
        while not (await stores.campaigns.get(id_) or pytest.fail("it is gone")).is_whole:
            await asyncio.sleep(0.01)
    # a holder pays two of three, decides, and dies; then the lease ends
    asked = LeaseRequested(
        lease="lse_1", account=ACCOUNT, process="dead", needed_micros=PRICE, wanted_micros=2 * PRICE, at=1
    )
    assert await paying.ledger.lend(asked, "EUR", 1) == 2 * PRICE
    (made,) = await stores.pages.some(id_, [0])
    messages = messages_of(made.batches[0])
    paid = [replace(message, lease_id="lse_1") for message in messages[:2]]
    at = made.batches[0]["at"]
    assert await stores.pages.split(made, 0, [Batch(at=at, messages=paid), Batch(at=at, messages=messages[2:])])
    assert await stores.pages.split(made, 0, [Batch(at=at, messages=messages)]) is None, "from what was read before"
    await stores.database["campaigns"].update_one(
        {"_id": id_}, {"$set": {"state": "running", "saying": [[0, 0, 2]], "saying_at": 5}}
    )
    await paying.ledger.settle({}, {}, ["lse_1"], 9)
    async with scheduler(vhost_url, mongo_url, mongo_prefix) as (_, api):
        await api.known(world)
        assert (await api.until(path, "finished"))["delivered"] == 3
    leases = {message.id: message.lease_id for message in world.accepted}
    assert [leases[message.id] for message in paid] == ["lse_1", "lse_1"]
    assert leases[messages[2].id] not in (None, "lse_1")
    assert await paying.charged(set(leases)) == {"captured": 3 * PRICE}
    assert await becomes(paying.ledger, (7 * PRICE, 0, 0))
    assert await wrongs(paying.ledger) == []


async def test_what_is_sent_later_is_paid_when_it_is_released(
    paying: Paying, vhost_url: str, mongo_url: str, mongo_prefix: str
) -> None:
    world = paying.world
    world.is_silent = True
    await top_up(paying.ledger, 2 * PRICE + 1)
    ids = MessageIds(1_022, SystemClock())
    async with scheduler(vhost_url, mongo_url, mongo_prefix) as (_, api):
        await paying.price(api, {"33": PRICE})
        now_ms = SystemClock().now_ms()
        messages = [
            an_accepted(id=ids.next(), number=f"3361234567{n}", price_micros=PRICE, lease_id=LEASE_LATER)
            for n in range(4)
        ]
        for place, message in enumerate(messages):
            later = Deferred(message=message, send_at=now_ms + 1_500 + 10 * place)
            for _ in range(2):
                await world.bus.publish(MESSAGE_DEFERRED, [later], lane=message.lane)
        assert (await api.ask("DELETE", f"/v1/messages/{messages[0].id}")).status_code == 204
        async with asyncio.timeout(20):
            while len(world.accepted) < 2 or len(world.refused) < 2:
                await asyncio.sleep(0.02)
        paid = {message.id: message.lease_id for message in world.accepted}
        assert set(paid) == {messages[1].id, messages[2].id}
        assert all(lease is not None and lease.startswith("lse_") for lease in paid.values())
        assert {one.id: one.code for one in world.refused} == {
            messages[0].id: "cancelled",
            messages[3].id: "credit_exhausted",
        }
        late = await api.ask("DELETE", f"/v1/messages/{messages[3].id}")
        assert (late.status_code, late.json()["code"]) == (409, "message_released")
    # receipt tells statuses with what it was told first: a lease that was not named yet
    became: list[Status] = ["cancelled", "submitted", "refused", "refused"]
    for message, status in zip(messages, became, strict=True):
        told = StatusChanged(
            id=message.id, account=ACCOUNT, status=status, previous="scheduled", at=2, number=message.number,
            lane="bulk", price_micros=PRICE, lease_id=LEASE_LATER,
        )  # fmt: skip
        for _ in range(2):
            await world.bus.publish(MESSAGE_STATUS, [told], lane="bulk")
    assert await becomes(paying.ledger, (PRICE + 1, 0, 0))
    assert await wrongs(paying.ledger) == []
