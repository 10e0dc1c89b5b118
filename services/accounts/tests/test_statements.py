"""Statements and the low-balance warning: they say what the ledger says."""

import csv
import io
import re
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import own_api
from accounts.credit import api
from accounts.credit.batch import Charge
from accounts.credit.entry import Entry, move
from accounts.credit.ledger import Ledger
from accounts.credit.low_balance import WatchLowBalances
from accounts.credit.statement import month_bounds
from accounts.credit.statement_pdf import amount
from accounts.domain.account import Account, ApiKey
from accounts.problems import TRANSLATIONS
from accounts.store import AccountStore
from carillon.events.credit import LeaseRequested
from carillon.http.api_keys import hash_api_key
from carillon.http.app import create_app
from carillon.mongo import Mongo
from carillon.runtime.ids import new_id
from carillon.runtime.money import parse_amount
from carillon.telemetry import metrics
from carillon.testing.clock import ManualClock

KEY = "ck_live_test"
ACCOUNT = Account(
    id="acc_1", name="Café ☕ Łódź", prepaid=True, low_balance_micros=2_000_000, created_at=0, changed_at=0,
    api_keys=(ApiKey(id="key_1", hash=hash_api_key(KEY), hint="test", created_at=0),),
)  # fmt: skip


def at(year: int, month: int, day: int, hour: int = 12) -> int:
    return round(datetime(year, month, day, hour, tzinfo=UTC).timestamp() * 1000)


@given(st.integers(2020, 2099), st.integers(1, 12))
def test_months_follow_each_other_without_a_gap(year: int, month: int) -> None:
    begin, end = month_bounds(f"{year}-{month:02d}")
    assert 28 <= (end - begin) / 86_400_000 <= 31
    following = f"{year + month // 12}-{month % 12 + 1:02d}"
    assert month_bounds(following)[0] == end


@pytest.mark.parametrize("wrong", ["2026-13", "2026-00", "1999-01", "26-01", "2026-1", "٢٠٢٦-11"])
def test_what_is_no_month(wrong: str) -> None:
    with pytest.raises(ValueError, match="a month"):
        month_bounds(wrong)


def test_amounts_as_people_read_them() -> None:
    assert amount(-1_234_567_045_000, "EUR", "en") == "-1,234,567.045\xa0EUR"
    assert amount(1_234_500_000, "EUR", "fr") == "1\xa0234,50\xa0EUR"


class Shop:
    """One account with a life in two months."""

    def __init__(self, mongo: Mongo) -> None:
        self.mongo, self.database, self.clock = mongo, mongo.database("accounts"), ManualClock(at(2026, 11, 20))
        self.accounts, self.ledger = AccountStore(self.database), Ledger(mongo, self.database)
        of_key = own_api.account_of_key(self.accounts, self.clock)
        app = create_app(
            "Carillon accounts",
            routers=[api.own_routes(self.ledger, of_key, self.clock)],
            translations=TRANSLATIONS,
        )
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://a", headers={"Authorization": f"Bearer {KEY}"}
        )

    async def book(self, kind: str, micros: int, moment: int) -> None:
        lines = move("cash", "available", micros)
        entry = Entry(key=new_id("ent"), account="acc_1", currency="EUR", kind=kind, lines=lines, at=moment)  # type: ignore[arg-type]
        assert await self.ledger.post(entry)

    async def live(self) -> None:
        await self.accounts.start()
        await self.ledger.start()
        await self.accounts.add(ACCOUNT)
        await self.book("topup", 10_000_000, at(2026, 10, 31, 23))
        await self.book("topup", 5_000_000, at(2026, 11, 1, 0))
        await self.book("refund", -1_000_000, at(2026, 11, 3))
        asked = LeaseRequested(
            lease="lse_1", account="acc_1", process="p", needed_micros=1, wanted_micros=8_000_000, at=1
        )
        assert await self.ledger.lend(asked, "EUR", at(2026, 10, 31)) > 0
        charges = {
            number: Charge(
                message=number, account="acc_1", lease="lse_1", micros=45_000 * parts, country=country, parts=parts
            )
            for number, (country, parts) in enumerate([("FR", 1), ("FR", 2), ("DE", 1), ("", 1), ("FR", 1)])
        }
        await self.ledger.settle({0: charges[0]}, {0: "captured"}, [], at(2026, 10, 31))
        later = {number: charges[number] for number in (1, 2, 3, 4)}
        await self.ledger.settle(later, {1: "captured", 4: "released"}, [], at(2026, 11, 5))
        await self.ledger.settle(later, {2: "captured"}, ["lse_1"], at(2026, 11, 6))

    async def rows(self, month: str) -> list[dict[str, str]]:
        answer = await self.client.get(f"/v1/ledger/statements/{month}.csv")
        assert answer.headers["content-disposition"] == f'attachment; filename="carillon-{month}.csv"'
        return list(csv.DictReader(io.StringIO(answer.text), delimiter=";"))


@pytest.fixture
async def shop(mongo_url: str, mongo_prefix: str) -> AsyncIterator[Shop]:
    mongo = Mongo(mongo_url, prefix=mongo_prefix)
    await mongo.start()
    shop = Shop(mongo)
    await shop.live()
    yield shop
    await mongo.stop()


def sums(rows: list[dict[str, str]], record: str) -> int:
    return sum(parse_amount(row["amount"]) for row in rows if row["record"] == record)


@pytest.mark.integration
async def test_a_statement_equals_the_ledger(shop: Shop) -> None:
    october, november = await shop.rows("2026-10"), await shop.rows("2026-11")
    for rows in (october, november):
        assert sums(rows, "opening") + sums(rows, "movement") == sums(rows, "closing")
        captured = sum(
            parse_amount(row["amount"]) for row in rows if (row["record"], row["kind"]) == ("movement", "capture")
        )
        assert sums(rows, "destination") == captured
    assert sums(october, "closing") == sums(november, "opening") == 10_000_000 - 45_000
    balance = await shop.ledger.balance("acc_1")
    assert balance is not None
    assert sums(november, "closing") == balance.total
    assert [(row["date"], row["kind"], row["amount"]) for row in november if row["record"] == "movement"] == [
        ("2026-11-01", "topup", "5.00"), ("2026-11-03", "refund", "-1.00"), ("2026-11-05", "capture", "-0.09"),
        ("2026-11-06", "capture", "-0.045"),
    ]  # fmt: skip
    assert [(row["country"], row["messages"], row["parts"]) for row in november if row["record"] == "destination"] == [
        ("FR", "1", "2"), ("DE", "1", "1"),
    ]  # fmt: skip
    assert november[-3]["date"] == "2026-11-20"  # so far


@pytest.mark.integration
async def test_the_same_on_paper_in_two_languages(shop: Shop) -> None:
    for lang, words in (
        ("fr", "Relevé de crédit|Rechargement|13,82 EUR"),
        ("en", "Credit statement|Top-up|13.82 EUR"),
    ):
        answer = await shop.client.get(f"/v1/ledger/statements/2026-11.pdf?lang={lang}")
        assert answer.headers["content-type"] == "application/pdf"
        text = shown(answer.content)
        for word in (*words.split("|"), "acc_1", "2026-11-03"):
            assert word in text, (lang, word)
    default = await shop.client.get("/v1/ledger/statements/2026-11.pdf")
    assert "Relevé" in shown(default.content)


def shown(pdf: bytes) -> str:
    """The words of a PDF in the built-in fonts."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    return "\n".join(zlib.decompress(stream).decode("latin-1") for stream in streams).replace("\xa0", " ")


@pytest.mark.integration
async def test_months_that_there_are_not(shop: Shop) -> None:
    assert (await shop.client.get("/v1/ledger/statements/2026-12.csv")).json()["code"] == "statement_unknown"
    assert (await shop.client.get("/v1/ledger/statements/2026-13.csv")).status_code == 422


@pytest.mark.integration
async def test_a_low_balance_is_told(shop: Shop) -> None:
    watch = WatchLowBalances(shop.database)
    await watch.sweep()
    assert metrics.LOW_BALANCES.value() == 0
    assert (await shop.client.get("/v1/ledger/balance")).json()["low_balance"] is False
    await shop.book("adjustment", -12_000_000, at(2026, 11, 20))
    for _ in range(2):
        await watch.sweep()
    assert metrics.LOW_BALANCES.value() == 1
    assert (await shop.client.get("/v1/ledger/balance")).json()["low_balance"] is True
    await shop.book("topup", 12_000_000, at(2026, 11, 20))
    await watch.sweep()
    assert metrics.LOW_BALANCES.value() == 0
