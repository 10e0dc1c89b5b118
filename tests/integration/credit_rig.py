"""accounts' part of credit, on the real bus and database."""

import asyncio

from accounts.credit.entry import Entry, move
from accounts.credit.handlers import LendCredit, SettleCharges
from accounts.credit.ledger import Ledger
from accounts.domain.account import Account
from accounts.store import AccountStore
from carillon.bus import Subscription
from carillon.bus.rabbit import RabbitBus
from carillon.bus.topology import ACCOUNTS_CHARGES, ACCOUNTS_LEASES
from carillon.credit import Purse
from carillon.mongo import TEMPORARY_ERRORS, Mongo
from carillon.runtime.clock import SystemClock
from carillon.runtime.ids import new_id

ACCOUNT = "acc_1"


async def top_up(ledger: Ledger, micros: int, key: str = "") -> bool:
    lines = move("cash", "available", micros)
    return await ledger.post(
        Entry(key=key or new_id("ent"), account=ACCOUNT, currency="EUR", kind="topup", lines=lines, at=1)
    )


async def wrongs(ledger: Ledger) -> list[str]:
    return [line async for line in ledger.trial_balance()]


async def becomes(ledger: Ledger, expected: tuple[int, int, int]) -> bool:
    """Whether available, leased and held come to be so within 30 s."""
    for _ in range(300):
        balance = await ledger.balance(ACCOUNT)
        if balance is not None and (balance.available, balance.leased, balance.held) == expected:
            return True
        await asyncio.sleep(0.1)
    return False


class Bank:
    """accounts' part of it, on the real bus."""

    def __init__(self, amqp_url: str, mongo: Mongo, ledger: Ledger) -> None:
        self.clock = SystemClock()
        self.ledger = ledger
        self.accounts = AccountStore(mongo.database("accounts"))
        self.bus = RabbitBus(amqp_url, name="bank", temporary=TEMPORARY_ERRORS)

    async def start(self) -> None:
        await self.accounts.start()
        await self.accounts.add(Account(id=ACCOUNT, name="Shop", prepaid=True, created_at=1, changed_at=1))
        await self.bus.start()
        await self.bus.subscribe(
            Subscription(ACCOUNTS_LEASES, LendCredit(self.ledger, self.accounts, self.bus, self.clock))
        )
        await self.bus.subscribe(Subscription(ACCOUNTS_CHARGES, SettleCharges(self.ledger, self.clock), max_wait_s=0.1))

    async def purse(self, amqp_url: str) -> tuple[RabbitBus, Purse]:
        process = new_id("ing")
        bus = RabbitBus(amqp_url, name=process, temporary=TEMPORARY_ERRORS)
        await bus.start()
        purse = Purse(bus, service="ingest", process=process, clock=self.clock)
        await purse.start()
        return bus, purse
