"""Recording on a real MongoDB: one state whatever the order, statuses said, reports never dropped."""

import asyncio
import random

import pytest
from tests.integration.receipt_rig import Process, delivery_of, receipt_process

from carillon.bus import BusDownError
from carillon.events.base import Record
from carillon.events.catalogue import ACCOUNT_CHANGED, MESSAGE_STATUS
from carillon.events.message import Accepted, Deferred, Refused, StatusChanged, Submitted
from carillon.events.report import ReportReceived, ReportState
from carillon.runtime.clock import SystemClock
from carillon.runtime.ids import MessageIds
from carillon.testing.builders import an_accepted, an_account
from carillon.testing.clock import ManualClock
from receipt.domain.status import status_of

pytestmark = pytest.mark.integration

_ids = MessageIds(7, SystemClock())


def a_message(parts: int = 1, **fields: object) -> Accepted:
    return an_accepted(id=_ids.next(), parts=parts, **fields)


def submitted(message: Accepted, part: int = 1, **fields: object) -> Submitted:
    values: dict[str, object] = {
        "id": message.id, "account": message.account, "part": part, "parts": message.parts, "operator": "north",
        "ref": f"{message.id}-{part}", "number": message.number, "at": message.accepted_at + 10 * part,
    }  # fmt: skip
    return Submitted(**{**values, **fields})  # type: ignore[arg-type]


def report(message: Accepted, part: int = 1, state: ReportState = "delivered", **fields: object) -> ReportReceived:
    values: dict[str, object] = {
        "operator": "north", "ref": f"{message.id}-{part}", "state": state, "number": message.number,
        "at": message.accepted_at + 1_000 + part, "part": part,
    }  # fmt: skip
    return ReportReceived(**{**values, **fields})  # type: ignore[arg-type]


async def status(process: Process, message: Accepted) -> str | None:
    known = (await process.stores.histories.of([message.id]))[message.id]
    return status_of(known.milestones, known.facts.parts)


async def flush(process: Process, *records: Record) -> None:
    await process.record([delivery_of(record) for record in records])


async def test_one_flush_then_a_report(mongo_url: str, mongo_prefix: str) -> None:
    async with receipt_process(mongo_url, mongo_prefix) as process:
        message = a_message(client_ref="a1", metadata={"k": 2**60}, price_micros=2**40)
        await flush(process, message, submitted(message))
        assert process.said(message.id) == ["accepted", "submitted"]
        await flush(process, report(message, state="enroute"), report(message))
        assert process.said(message.id) == ["accepted", "submitted", "delivered"]
        assert await status(process, message) == "delivered"
        last = process.bus.records(MESSAGE_STATUS)[-1]
        assert isinstance(last, StatusChanged)
        assert (last.metadata, last.price_micros, last.previous) == ({"k": 2**60}, 2**40, "submitted")
        [event, *_] = process.bus.streams["carillon.receipts"]
        assert message.number.encode() not in event


@pytest.mark.parametrize("hinted", [True, False])
@pytest.mark.parametrize("seed", range(6))
async def test_any_order_and_repetition_ends_in_one_state(
    mongo_url: str, mongo_prefix: str, hinted: bool, seed: int
) -> None:
    """Two processes take turns at the events of several messages, shuffled, doubled, in flushes of random size."""
    chance = random.Random(seed)
    async with (
        receipt_process(mongo_url, mongo_prefix) as one,
        receipt_process(mongo_url, mongo_prefix, name="rcp_2") as other,
    ):
        events: list[Record] = []
        expected: dict[int, str] = {}
        for number in range(40):
            parts = chance.choice([1, 1, 2, 3])
            message = a_message(parts, number=f"336{number:08d}")
            fails = chance.random() < 0.3
            hint = message.id if hinted else None
            events.append(message)
            for part in range(1, parts + 1):
                events.append(submitted(message, part))
                state: ReportState = "expired" if fails and part == parts else "delivered"
                events.append(report(message, part, state, message_id=hint))
            expected[message.id] = "undelivered" if fails else "delivered"
        events += chance.sample(events, len(events) // 2)
        chance.shuffle(events)
        while events:
            size = chance.randint(1, 60)
            batch, events = events[:size], events[size:]
            await flush(chance.choice([one, other]), *batch)
        for _ in range(3):
            for document in await one.stores.unmatched.due(2**62, 1_000):
                await one.stores.unmatched.later([(document, 0)])
            await chance.choice([one, other]).unmatched.sweep()
        assert await one.stores.unmatched.count() == 0
        known = await one.stores.histories.of(expected)
        states = {id_: status_of(message.milestones, message.facts.parts) for id_, message in known.items()}
        assert states == expected
        for id_, status_ in expected.items():
            said = one.said(id_) + other.said(id_)
            assert {"accepted", "submitted", status_} <= set(said)
            assert set(said) <= {"accepted", "submitted", status_}


async def test_a_crash_between_write_and_publish_is_made_good_by_the_redelivery(
    mongo_url: str, mongo_prefix: str
) -> None:
    """The first process writes and is gone before it says anything; a second one is given the same deliveries."""
    async with receipt_process(mongo_url, mongo_prefix) as first:
        message, failing = a_message(), a_message()
        first.bus.is_away = True
        for records in ([message, submitted(message), failing], [report(message)], [refused(failing)]):
            with pytest.raises(BusDownError):
                await flush(first, *records)
        assert await status(first, message) == "delivered"
        assert first.said(message.id) == []
        first.bus.is_away = False
    async with receipt_process(mongo_url, mongo_prefix, name="rcp_2") as second:
        await flush(second, message, submitted(message), failing)
        await flush(second, report(message))
        await flush(second, refused(failing))
        assert [s for s in ("accepted", "submitted", "delivered") if s not in second.said(message.id)] == []
        assert second.said(message.id)[-1] == "delivered"
        assert {"accepted", "refused"} <= set(second.said(failing.id))
        assert second.said(failing.id)[-1] == "refused"


async def test_a_retry_in_the_same_process_says_what_was_not_said(mongo_url: str, mongo_prefix: str) -> None:
    async with receipt_process(mongo_url, mongo_prefix) as process:
        message = a_message()
        await flush(process, message, submitted(message))
        process.bus.is_away = True
        with pytest.raises(BusDownError):
            await flush(process, report(message))
        process.bus.is_away = False
        await flush(process, report(message))
        assert process.said(message.id)[-1] == "delivered"


def refused(message: Accepted, code: str = "no_route") -> Refused:
    return Refused(id=message.id, account=message.account, code=code, at=message.accepted_at + 5)


async def test_a_duplicate_report_is_not_said_again(mongo_url: str, mongo_prefix: str) -> None:
    async with receipt_process(mongo_url, mongo_prefix) as process:
        message = a_message(parts=2)
        await flush(process, message, submitted(message), submitted(message, 2))
        await flush(process, report(message), report(message, 2))
        said = process.said(message.id)
        await flush(process, report(message, at=message.accepted_at + 99_000))
        assert process.said(message.id) == said


async def test_a_report_before_its_message_waits_and_then_counts(mongo_url: str, mongo_prefix: str) -> None:
    clock = ManualClock()
    async with receipt_process(mongo_url, mongo_prefix, clock=clock) as process:
        message = a_message()
        await flush(process, report(message))
        assert await process.stores.unmatched.count() == 1
        await clock.advance(1)
        assert await process.unmatched.sweep() == 0
        await flush(process, message, submitted(message))
        await clock.advance(2)
        assert await process.unmatched.sweep() == 1
        assert process.said(message.id) == ["accepted", "submitted", "delivered"]
        assert await process.stores.unmatched.count() == 0


@pytest.mark.parametrize(
    ("answered", "reported"), [("1A2B3C", "1715004"), ("1a2b3c", "1A2B3C"), ("0000123456", "123456"), ("99", "0063")]
)
async def test_an_id_in_another_spelling_is_forgiven_for_the_same_handset_only(
    mongo_url: str, mongo_prefix: str, answered: str, reported: str
) -> None:
    clock = ManualClock()
    async with receipt_process(mongo_url, mongo_prefix, clock=clock) as process:
        message, other = a_message(number="33611111111"), a_message(number="33622222222")
        await flush(process, message, other, submitted(message, ref=answered), submitted(other, ref="other"))
        await flush(process, report(message, ref=reported), report(other, ref=reported, state="expired"))
        await clock.advance(1)
        assert await process.unmatched.sweep() == 1
        assert await status(process, message) == "delivered"
        assert await status(process, other) == "submitted"


async def test_a_report_finds_the_one_message_whose_submit_was_not_answered(mongo_url: str, mongo_prefix: str) -> None:
    clock = ManualClock()
    async with (
        receipt_process(mongo_url, mongo_prefix, clock=clock) as process,
        receipt_process(mongo_url, mongo_prefix, clock=clock, name="rcp_2") as other,
    ):
        doubtful, plain = a_message(accepted_at=clock.now_ms()), a_message(number="33699999999")
        await flush(process, doubtful, plain, submitted(plain))
        await flush(process, submitted(doubtful, ref=None, outcome="ambiguous"))
        assert process.said(doubtful.id) == ["accepted", "ambiguous"]
        at = SystemClock().now_ms()
        await flush(process, report(doubtful, ref="never-told", at=at), report(plain, ref="unknown", at=at))
        await clock.advance(2)
        assert await process.unmatched.sweep() == 0
        await clock.advance(10)
        assert await process.unmatched.sweep() + await other.unmatched.sweep() == 1
        assert process.said(doubtful.id)[-1] == "delivered"
        assert await status(process, doubtful) == "delivered"
        assert await status(process, plain) == "submitted"
        await flush(process, report(doubtful, ref="never-told", at=at + 5_000))  # once more: its id is known now
        assert await process.stores.unmatched.count() == 1


async def test_reports_of_two_doubtful_messages_are_not_guessed(mongo_url: str, mongo_prefix: str) -> None:
    clock = ManualClock()
    async with receipt_process(mongo_url, mongo_prefix, clock=clock) as process:
        messages = [a_message(), a_message()]
        for message in messages:
            await flush(process, message, submitted(message, ref=None, outcome="ambiguous"))
        await flush(process, report(messages[0], ref="whose", at=SystemClock().now_ms()))
        await clock.advance(60)
        assert await process.unmatched.sweep() == 0
        assert [await status(process, message) for message in messages] == ["ambiguous", "ambiguous"]


async def test_lost_is_said_after_the_deadline_and_corrected_by_a_late_report(
    mongo_url: str, mongo_prefix: str
) -> None:
    clock = ManualClock(SystemClock().now_ms())
    async with (
        receipt_process(mongo_url, mongo_prefix, clock=clock) as process,
        receipt_process(mongo_url, mongo_prefix, clock=clock, name="rcp_2") as other,
    ):
        for each in (process, other):
            await each.bus.publish(ACCOUNT_CHANGED, [an_account(lost_after_s=3_600)])
            await each.add_account(an_account(lost_after_s=3_600))
        silent, ended, failed, partial = a_message(), a_message(), a_message(), a_message(parts=2)
        await flush(process, silent, submitted(silent), ended, submitted(ended), failed)
        await flush(process, partial, submitted(partial), submitted(partial, 2), report(ended), refused(failed))
        await flush(process, report(partial))
        assert await process.lost.sweep() == 0
        await clock.advance(3_700)
        assert (await process.lost.sweep(), await other.lost.sweep()) == (2, 0)
        assert process.said(silent.id) == ["accepted", "submitted", "lost"]
        assert process.said(partial.id)[-1] == "lost"
        assert await process.lost.sweep() == 0
        await flush(process, report(silent, at=clock.now_ms()))
        assert process.said(silent.id) == ["accepted", "submitted", "lost", "delivered"]
        assert await status(process, silent) == "delivered"


async def test_a_message_that_is_heard_of_after_its_deadline_is_not_forgotten(
    mongo_url: str, mongo_prefix: str
) -> None:
    clock = ManualClock(SystemClock().now_ms())
    async with receipt_process(mongo_url, mongo_prefix, clock=clock) as process:
        await process.add_account(an_account(lost_after_s=60))
        late = a_message()
        await clock.advance(600)
        assert await process.lost.sweep() == 0
        await flush(process, late)
        assert await process.lost.sweep() == 1
        assert process.said(late.id) == ["accepted", "lost"]


@pytest.mark.parametrize("seed", range(6))
async def test_a_message_to_be_sent_later_is_scheduled_until_it_goes(
    mongo_url: str, mongo_prefix: str, seed: int
) -> None:
    """Its acceptance is told twice, by the door and when it is released, in whatever order."""
    message = a_message()
    events: list[Record] = [
        Deferred(message=message, send_at=message.accepted_at + 3_600_000),
        message,
        submitted(message),
        report(message),
    ]
    random.Random(seed).shuffle(events)
    async with receipt_process(mongo_url, mongo_prefix) as process:
        for event in events:
            await process.record([delivery_of(event)])
            await process.unmatched.sweep()
        await asyncio.sleep(1.1)
        await process.unmatched.sweep()
        assert set(process.said(message.id)) >= {"accepted", "submitted", "delivered"}
        known = (await process.stores.histories.of([message.id]))[message.id]
    assert known.milestones.scheduled == message.accepted_at + 3_600_000
    assert status_of(known.milestones, 1) == "delivered"


async def test_what_is_scheduled_is_told_and_can_be_cancelled(mongo_url: str, mongo_prefix: str) -> None:
    message = a_message()
    deferred = Deferred(message=message, send_at=message.accepted_at + 3_600_000)
    async with receipt_process(mongo_url, mongo_prefix) as process:
        for event in (deferred, deferred, Refused(id=message.id, account="acc_1", code="cancelled", at=5)):
            await process.record([delivery_of(event)])
    assert list(dict.fromkeys(process.said(message.id))) == ["accepted", "scheduled", "cancelled"]


async def test_a_scheduled_message_is_lost_by_its_own_time(mongo_url: str, mongo_prefix: str) -> None:
    clock = ManualClock()
    ids = MessageIds(8, clock)
    async with receipt_process(mongo_url, mongo_prefix, clock=clock) as process:
        await process.add_account(an_account(lost_after_s=600))
        message = an_accepted(id=ids.next(), accepted_at=clock.now_ms())
        await process.record([delivery_of(Deferred(message=message, send_at=clock.now_ms() + 3_600_000))])
        await clock.advance(1_000)
        assert await process.lost.sweep() == 0
        await clock.advance(2_600 + 601)
        assert await process.lost.sweep() == 1
        assert await process.lost.sweep() == 0
        assert process.said(message.id) == ["accepted", "scheduled", "lost"]
