"""What a message costs, and what a prepaid account without credit is told."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from carillon.bus import Delivery, Subscription
from carillon.bus.topology import ACCOUNTS_LEASES
from carillon.events.catalogue import LEASE_ANSWERED, MESSAGE_DEFERRED
from carillon.events.credit import LEASE_LATER, LeaseAnswered, LeaseRequested
from carillon.runtime.clock import rfc3339
from carillon.sms.tariff import Rate, Tariff
from carillon.testing.clock import START_MS

PREPAID = "ck_live_prepaid"


@pytest.fixture
def priced(make_ingest: Callable[..., Any]) -> Any:
    return make_ingest(tariff=Tariff([Rate("33", 45_000)]))


async def test_a_message_carries_its_price(priced: Any) -> None:
    answer = await priced.post("/v1/messages", {"to": "+33612345678", "text": "a" * 161})
    assert answer.status == 202
    assert (priced.said[-1].price_micros, priced.said[-1].lease_id) == (90_000, None)


async def test_a_quote_has_the_price_of_its_recipient(priced: Any) -> None:
    quotes = [{"to": "+33612345678", "text": "Hello"}, {"to": "+4915112345678", "text": "Hello"}, {"text": "Hello"}]
    answers = [(await priced.post("/v1/messages/quote", quote)).json for quote in quotes]
    assert [answer["price_micros"] for answer in answers] == [45_000, None, None]
    assert (await priced.post("/v1/messages/quote", {"to": "7", "text": "Hello"})).status == 422


class Bank:
    """Lends what it has, as accounts does."""

    def __init__(self, ingest: Any, micros: int) -> None:
        self._bus = ingest.bus
        self.left = micros

    async def open(self) -> None:
        await self._bus.subscribe(Subscription(ACCOUNTS_LEASES, self._lend))

    async def _lend(self, deliveries: Any) -> None:
        for delivery in deliveries:
            assert isinstance(delivery, Delivery)
            for asked in delivery.records:
                assert isinstance(asked, LeaseRequested)
                granted = min(self.left, asked.wanted_micros) if self.left >= asked.needed_micros else 0
                self.left -= granted
                answer = LeaseAnswered(
                    lease=asked.lease, account=asked.account, process=asked.process, granted_micros=granted, lasts_s=60
                )
                await self._bus.publish(LEASE_ANSWERED, [answer])


async def test_a_prepaid_account_spends_to_the_last_message(priced: Any) -> None:
    bank = Bank(priced, 5 * 45_000 + 44_999)
    await bank.open()
    await priced.purse.start()
    batch = {"messages": [{"to": f"+3361234567{digit}", "text": "Hello"} for digit in range(4)]}
    first = (await priced.post("/v1/messages", batch, PREPAID)).json["results"]
    assert ["error" in result for result in first] == [False] * 4
    second = (await priced.post("/v1/messages", batch, PREPAID)).json["results"]
    assert ["error" in result for result in second] == [False, True, True, True]
    assert second[1]["error"]["code"] == "credit_exhausted"
    alone = await priced.post("/v1/messages", {"to": "+33612345678", "text": "Hello"}, PREPAID)
    assert (alone.status, alone.json["code"]) == (402, "credit_exhausted")
    legacy = await priced.push("number=33612345678&content=Hello", door="prepaid")
    assert (legacy.text, legacy.headers["carillon-reason"]) == ("KO - SMS rejected", "credit_exhausted")
    assert len(priced.said) == 5
    assert all(message.lease_id for message in priced.said)
    elsewhere = await priced.post("/v1/messages", {"to": "+4915112345678", "text": "Hello"}, PREPAID)
    assert (elsewhere.status, elsewhere.json["code"]) == (422, "no_price")
    await priced.purse.stop()


async def test_what_is_sent_later_is_priced_now_and_paid_later(priced: Any) -> None:
    await priced.purse.start()
    later = {"to": "+33612345678", "text": "Hello", "send_at": rfc3339(START_MS + 60_000)}
    answer = await priced.post("/v1/messages", later, PREPAID)
    assert (answer.status, answer.json["status"]) == (202, "scheduled")
    (deferred,) = priced.bus.records(MESSAGE_DEFERRED)
    assert (deferred.message.price_micros, deferred.message.lease_id) == (45_000, LEASE_LATER)
    elsewhere = await priced.post("/v1/messages", {**later, "to": "+4915112345678"}, PREPAID)
    assert (elsewhere.status, elsewhere.json["code"]) == (422, "no_price")
    billed = await priced.post("/v1/messages", later)
    assert (billed.status, priced.bus.records(MESSAGE_DEFERRED)[-1].message.lease_id) == (202, None)
    await priced.purse.stop()


async def test_nobody_knows_is_busy_and_not_refused(priced: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carillon.credit.purse._ANSWER_S", 0.05)
    await priced.purse.start()
    answer = await priced.post("/v1/messages", {"to": "+33612345678", "text": "Hello"}, PREPAID)
    assert (answer.status, answer.json["code"]) == (503, "credit_unavailable")
    assert priced.said == []
    await asyncio.sleep(0)
    await priced.purse.stop()
