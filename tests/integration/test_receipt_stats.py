"""Statistics are counted from the messages: again and again, by anybody, after a crash, always the same."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.receipt_rig import Process, delivery_of, receipt_process

from carillon.bus import BusDownError
from carillon.events.message import Refused, Submitted
from carillon.events.report import ReportReceived
from carillon.mongo import Leases
from carillon.runtime.clock import SystemClock
from carillon.runtime.ids import MessageIds
from carillon.testing.builders import an_accepted
from receipt.stats import GroupBy, Stats, StatsView
from receipt.store.stats import Hour, hour_of
from receipt.sweepers.stats import StatsSweeper

pytestmark = pytest.mark.integration

_ids = MessageIds(11, SystemClock())


async def _answer(process: Process, *by: GroupBy, account: str = "acc_1") -> StatsView:
    now = datetime.now(UTC)
    return await Stats(process.stores.stats).answer(
        account, by or ("status",), now - timedelta(hours=2), now + timedelta(hours=1)
    )


def _sweeper(process: Process, name: str) -> StatsSweeper:
    return StatsSweeper(process.stores, Leases(process.stores.database["leases"], name, 60.0))


def _counts(view: StatsView) -> dict[str | None, int]:
    return {group.group["status"]: group.messages for group in view.groups}


async def _record_some(process: Process, count: int) -> None:
    """Messages of which two thirds are delivered after exactly 3 s, and the others refused."""
    for number in range(count):
        accepted_at = SystemClock().now_ms()
        message = an_accepted(
            id=_ids.next(),
            accepted_at=accepted_at,
            campaign=f"cmp_{number % 2}",
            price_micros=10,
            sender=f"s{number % 2}",
        )
        deliveries = [delivery_of(message)]
        if number % 3:
            ref = f"r{message.id}"
            submitted = Submitted(
                id=message.id, account="acc_1", operator="north", ref=ref, number=message.number, at=1
            )
            report = ReportReceived(
                operator="north", ref=ref, state="delivered", number=message.number, at=accepted_at + 3_000
            )
            deliveries += [delivery_of(submitted), delivery_of(report)]
        else:
            deliveries.append(delivery_of(Refused(id=message.id, account="acc_1", code="no_route", at=2)))
        for delivery in deliveries:
            await process.record([delivery])


async def test_counted_again_they_are_the_same(mongo_url: str, mongo_prefix: str) -> None:
    async with receipt_process(mongo_url, mongo_prefix) as process:
        await _record_some(process, 30)
        assert not (await _answer(process)).is_fresh
        sweeper = _sweeper(process, "one")
        assert await sweeper.sweep() >= 1
        first = await _answer(process, "status", "campaign", "operator", "error", "sender")
        assert first.is_fresh
        assert _counts(await _answer(process)) == {"delivered": 20, "refused": 10}
        assert first.total.price_micros == 300
        assert first.total.delivery_rate == pytest.approx(2 / 3)
        latency = (await _answer(process)).groups[0].latency_ms
        assert latency is not None
        assert latency.p50 == latency.p95 == pytest.approx(3_000, rel=0.045)
        assert Counter(group.group["error"] for group in first.groups)["no_route"] == 2
        await process.stores.stats.mark({Hour("acc_1", hour_of(_ids.next()))})
        assert await _sweeper(process, "two").sweep() == 0  # another process holds the lease
        await process.stores.database["leases"].delete_many({})
        assert await _sweeper(process, "three").sweep() == 1
        assert await _answer(process, "status", "campaign", "operator", "error", "sender") == first
        assert (await _answer(process, account="acc_other")).total.messages == 0


async def test_what_a_crash_interrupted_is_counted_after_all(mongo_url: str, mongo_prefix: str) -> None:
    async with receipt_process(mongo_url, mongo_prefix) as process:
        message = an_accepted(id=_ids.next(), accepted_at=SystemClock().now_ms())
        process.bus.is_away = True
        with pytest.raises(BusDownError):
            await process.record([delivery_of(message)])
        process.bus.is_away = False
        for _ in range(3):  # delivered again, and again
            await process.record([delivery_of(message)])
        sweeper = _sweeper(process, "one")
        await sweeper.sweep()
        assert _counts(await _answer(process)) == {"accepted": 1}


async def test_a_former_holder_replaces_nothing(mongo_url: str, mongo_prefix: str) -> None:
    async with receipt_process(mongo_url, mongo_prefix) as process:
        await _record_some(process, 3)
        await _sweeper(process, "one").sweep()
        hour = Hour("acc_1", hour_of(_ids.next()))
        assert not await process.stores.stats.keep(hour, {}, token=0)
        assert (await _answer(process)).total.messages == 3


async def test_a_mark_that_comes_while_an_hour_is_counted_stays(mongo_url: str, mongo_prefix: str) -> None:
    async with receipt_process(mongo_url, mongo_prefix) as process:
        hour = Hour("acc_1", hour_of(_ids.next()))
        await process.stores.stats.mark({hour})
        seen = await process.stores.stats.marks_of(hour)
        await process.stores.stats.mark({hour})
        await process.stores.stats.delete_marks(seen)
        assert await process.stores.stats.marked() == [hour]
