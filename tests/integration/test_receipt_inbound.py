"""Whom an inbound SMS is for, and which failures say that a number does not exist."""

from collections.abc import AsyncIterator

import pytest
from tests.integration.receipt_rig import Process, delivery_of, receipt_process

from carillon.events.catalogue import INBOUND_ATTRIBUTED, MESSAGE_BOUNCED
from carillon.events.message import Bounced, Refused, Submitted
from carillon.events.report import InboundAttributed, InboundReceived, ReportReceived
from carillon.runtime.ids import first_id_at
from carillon.testing.builders import an_accepted, an_account
from carillon.testing.clock import START_MS
from receipt.attribution import LOOK_BACK_MS, Attribution
from receipt.handlers import KeepInbound

pytestmark = pytest.mark.integration

HANDSET = "33612345678"


@pytest.fixture
async def process(mongo_url: str, mongo_prefix: str) -> AsyncIterator[Process]:
    async with receipt_process(mongo_url, mongo_prefix) as process:
        for number in (1, 2, 3):
            await process.add_account(an_account(id=f"acc_{number}"))
        yield process


async def attributed(process: Process, to: str, number: str = HANDSET) -> str | None:
    keep = KeepInbound(process.stores.inbound, Attribution(process.stores.messages, process.accounts.all, process.bus))
    part = InboundReceived(id=first_id_at(START_MS) + 1, operator="north", number=number, to=to, text="x", at=START_MS)
    await keep([delivery_of(part)])
    said = process.bus.records(INBOUND_ATTRIBUTED)[-1]
    assert isinstance(said, InboundAttributed)
    assert said.inbound == part
    return said.account


async def test_the_sender_that_is_answered_to_comes_first_then_whoever_wrote_last(process: Process) -> None:
    def sent(account: str, sender: str, ago_ms: int) -> object:
        return an_accepted(id=first_id_at(START_MS - ago_ms), account=account, sender=sender, number=HANDSET)

    assert await attributed(process, "36111") is None
    await process.record([delivery_of(sent("acc_3", "36111", LOOK_BACK_MS + 1_000))])  # type: ignore[arg-type]
    assert await attributed(process, "36111") is None
    records = [sent("acc_1", "36111", 90_000), sent("acc_2", "33600000001", 60_000), sent("acc_3", "Shop", 30_000)]
    await process.record([delivery_of(*records)])  # type: ignore[arg-type]
    assert await attributed(process, "36111") == "acc_1"
    assert await attributed(process, "+33600000001") == "acc_2"
    assert await attributed(process, "36222") == "acc_3"
    assert await attributed(process, "36111", "33699999999") is None


async def test_only_what_says_something_of_the_number_is_a_bounce(process: Process) -> None:
    errors = ["unknown_number", "absent", None, "unknown_number"]
    messages = [an_accepted(id=first_id_at(START_MS) + place, number=f"3361234567{place}") for place in range(5)]
    submitted = [
        Submitted(id=m.id, account=m.account, operator="north", ref=f"r{place}", number=m.number, at=START_MS + 1)
        for place, m in enumerate(messages[:4])
    ]
    reports = [
        ReportReceived(
            operator="north", ref=f"r{place}", state="delivered" if place == 3 else "undelivered", error=error,
            number=messages[place].number, at=START_MS + 2,
        )
        for place, error in enumerate(errors)
    ]  # fmt: skip
    refused = Refused(id=messages[4].id, account="acc_1", code="number_refused", operator="north", at=START_MS + 3)
    await process.record([delivery_of(*messages), delivery_of(*submitted), delivery_of(refused)])
    await process.record([delivery_of(*reports)])
    said = [each for each in process.bus.records(MESSAGE_BOUNCED) if isinstance(each, Bounced)]
    assert {(each.id, each.number, each.error, each.operator) for each in said} == {
        (messages[0].id, messages[0].number, "unknown_number", "north"),
        (messages[4].id, messages[4].number, "number_refused", "north"),
    }
