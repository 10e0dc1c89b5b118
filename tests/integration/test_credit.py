"""Credit on a real database: the book balances whatever happens, in whatever order and however often."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from tests.integration.credit_rig import ACCOUNT, Bank, becomes, top_up, wrongs

from accounts.credit.entry import Entry, move
from accounts.credit.handlers import EndExpiredLeases
from accounts.credit.ledger import Charge, Ledger, UnknownLeaseError
from carillon.credit import CreditExhaustedError
from carillon.events.base import Record
from carillon.events.catalogue import MESSAGE_ACCEPTED, MESSAGE_STATUS
from carillon.events.credit import LeaseRequested
from carillon.events.message import Accepted, Status, StatusChanged
from carillon.mongo import Mongo
from carillon.runtime.clock import SystemClock
from carillon.testing.builders import an_accepted

pytestmark = pytest.mark.integration

PRICE = 45_000


@pytest.fixture
async def mongo(mongo_url: str, mongo_prefix: str) -> AsyncIterator[Mongo]:
    mongo = Mongo(mongo_url, prefix=mongo_prefix)
    await mongo.start()
    yield mongo
    await mongo.stop()


@pytest.fixture
async def ledger(mongo: Mongo) -> Ledger:
    ledger = Ledger(mongo, mongo.database("accounts"))
    await ledger.start()
    return ledger


async def lend(ledger: Ledger, lease: str, needed: int, wanted: int, at: int = 1) -> int:
    asked = LeaseRequested(
        lease=lease, account=ACCOUNT, process="p1", needed_micros=needed, wanted_micros=wanted, at=at
    )
    return await ledger.lend(asked, "EUR", at)


async def test_a_top_up_counts_once(ledger: Ledger) -> None:
    made = await asyncio.gather(*(top_up(ledger, 2_000_000, "payment_1") for _ in range(5)))
    assert sorted(made) == [False, False, False, False, True]
    balance = await ledger.balance(ACCOUNT)
    assert balance is not None
    assert balance.available == 2_000_000
    assert await wrongs(ledger) == []


def test_an_entry_adds_up_to_zero() -> None:
    with pytest.raises(ValueError, match="zero"):
        Entry(key="x", account=ACCOUNT, currency="EUR", kind="topup", lines=move("cash", "held", 5)[:1], at=1)


async def test_a_lease_is_lent_once_and_what_is_left_of_it_comes_back_once(ledger: Ledger) -> None:
    await top_up(ledger, 1_000_000)
    assert [await lend(ledger, "lse_1", PRICE, 200_000) for _ in range(3)] == [200_000] * 3
    charges = {1: Charge(message=1, account=ACCOUNT, lease="lse_1", micros=PRICE)}
    for _ in range(2):
        await ledger.settle(charges, {}, ["lse_1"], 2)
    balance = await ledger.balance(ACCOUNT)
    assert balance is not None
    assert (balance.available, balance.leased, balance.held) == (1_000_000 - PRICE, 0, PRICE)
    late = {2: Charge(message=2, account=ACCOUNT, lease="lse_1", micros=PRICE)}
    await ledger.settle(late, {2: "captured"}, [], 3)
    await ledger.settle(charges, {1: "released"}, [], 4)
    await ledger.settle(charges, {1: "captured"}, [], 5)  # it was given back: that stands
    balance = await ledger.balance(ACCOUNT)
    assert balance is not None
    assert (balance.available, balance.leased, balance.held) == (1_000_000 - PRICE, 0, 0)
    assert await wrongs(ledger) == []


async def test_a_lease_that_nobody_gave_is_refused(ledger: Ledger) -> None:
    with pytest.raises(UnknownLeaseError):
        await ledger.settle({1: Charge(message=1, account=ACCOUNT, lease="lse_0", micros=1)}, {}, [], 1)


async def test_the_book_balances_after_any_script_run_by_several_at_once(ledger: Ledger) -> None:
    """Lends, charges, settlements, ends: repeated, reordered, at the same time, on one balance that runs out."""
    dice = random.Random(7)
    await top_up(ledger, 100 * PRICE)
    leases: list[str] = []
    charges: dict[int, Charge] = {}
    steps: list[asyncio.Task[object]] = []
    for step in range(120):
        what = dice.random()
        if what < 0.3 or not leases:
            leases.append(f"lse_{step}")
            steps.append(asyncio.create_task(lend(ledger, leases[-1], PRICE, 10 * PRICE)))
            await steps[-1]
        elif what < 0.8:
            batch = {
                number: Charge(message=number, account=ACCOUNT, lease=dice.choice(leases), micros=PRICE)
                for number in range(step * 10, step * 10 + dice.randint(1, 5))
            }
            charges |= batch
            known = {id_: charges[id_] for id_ in dice.sample(sorted(charges), min(len(charges), 5))} | batch
            states = {id_: dice.choice(["captured", "released"]) for id_ in known if dice.random() < 0.5}
            steps.append(asyncio.create_task(ledger.settle(known, states, [], step)))  # type: ignore[arg-type]
        else:
            steps.append(asyncio.create_task(ledger.settle({}, {}, [dice.choice(leases)], step)))
    await asyncio.gather(*steps)
    await ledger.settle({}, {}, leases, 999)
    assert await wrongs(ledger) == []
    balance = await ledger.balance(ACCOUNT)
    assert balance is not None
    assert balance.leased == 0


async def test_a_hundred_senders_get_exactly_what_the_balance_pays(
    vhost_url: str, mongo: Mongo, ledger: Ledger
) -> None:
    bank = Bank(vhost_url, mongo, ledger)
    await bank.start()
    await top_up(ledger, 1_000 * PRICE)
    bus, purse = await bank.purse(vhost_url)
    accepted: list[Record] = []
    refused = 0

    async def sender(number: int) -> None:
        nonlocal refused
        for place in range(12):
            try:
                lease = await purse.spend(ACCOUNT, PRICE)
            except CreditExhaustedError:
                refused += 1
                continue
            message = an_accepted(
                id=1 + number * 100 + place, account=ACCOUNT, price_micros=PRICE, lease_id=lease, lane="urgent"
            )
            await bus.publish(MESSAGE_ACCEPTED, [message], lane="urgent")
            purse.done(lease)
            accepted.append(message)

    await asyncio.gather(*(sender(number) for number in range(100)))
    assert (len(accepted), refused) == (1_000, 200)

    # half of them submitted, a quarter refused, a quarter still on their way; statuses come twice
    statuses: list[Status] = ["submitted", "submitted", "refused", "accepted"]
    said = [_status(message, statuses[place % 4]) for place, message in enumerate(accepted)]
    for begin in range(0, len(said), 100):
        await bus.publish(MESSAGE_STATUS, said[begin : begin + 100], lane="urgent")
        await bus.publish(MESSAGE_STATUS, said[begin : begin + 100], lane="urgent")
    await purse.stop()
    assert await becomes(ledger, (250 * PRICE, 0, 250 * PRICE))
    assert await wrongs(ledger) == []
    await bus.stop()
    await bank.bus.stop()


async def test_no_lease_is_lost_when_its_process_is_killed(vhost_url: str, mongo: Mongo, ledger: Ledger) -> None:
    bank = Bank(vhost_url, mongo, ledger)
    await bank.start()
    await top_up(ledger, 1_000 * PRICE)
    bus, purse = await bank.purse(vhost_url)
    for number in range(1, 11):
        lease = await purse.spend(ACCOUNT, PRICE)
        message = an_accepted(id=number, account=ACCOUNT, price_micros=PRICE, lease_id=lease, lane="bulk")
        await bus.publish(MESSAGE_ACCEPTED, [message], lane="bulk")
    await bus.stop()  # and nobody ends the lease
    assert await ledger.expired(bank.clock.now_ms()) == []
    later = bank.clock.now_ms() + 130_000

    class Later(SystemClock):
        def now_ms(self) -> int:
            return later

    sweeper = EndExpiredLeases(ledger, bank.bus, Later())
    await sweeper.sweep()
    await sweeper.sweep()
    assert await becomes(ledger, (990 * PRICE, 0, 10 * PRICE))
    assert await wrongs(ledger) == []
    await bank.bus.stop()


def _status(message: Record, status: Status) -> StatusChanged:
    assert isinstance(message, Accepted)
    return StatusChanged(
        id=message.id, account=message.account, status=status, previous="accepted", at=2, number=message.number,
        lane="urgent", price_micros=message.price_micros, lease_id=message.lease_id,
    )  # fmt: skip
