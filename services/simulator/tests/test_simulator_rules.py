"""The last four digits of a number choose its fate."""

import asyncio

import pytest

from carillon.smpp import ShortMessage, Status, Tag
from carillon.sms.reports import Report, parse_report
from simulator.domain import fates
from simulator.domain.fates import RULES, rule_for
from simulator.operator import Operator
from simulator.testing import Connect


def read(message: ShortMessage) -> Report:
    return parse_report(
        message.short_message,
        receipted_id=message.tlv_text(Tag.RECEIPTED_MESSAGE_ID),
        message_state=message.tlv_int(Tag.MESSAGE_STATE),
        network_error=message.tlvs.get(Tag.NETWORK_ERROR_CODE),
    )


@pytest.mark.parametrize(
    ("ending", "state", "raw_error"),
    [
        ("4321", "delivered", None),
        ("0001", "undelivered", "027"),
        ("0002", "expired", "003"),
        ("0009", "rejected", "008"),
    ],
)
async def test_final_state_by_ending(bound: Connect, ending: str, state: str, raw_error: str | None) -> None:
    client = await bound()
    outcome = await client.submit(f"3361234{ending}")
    [delivery] = await client.deliveries(1)
    report = read(delivery)
    assert outcome.ok
    assert report.ref == outcome.message_id
    assert (report.state, report.raw_error) == (state, raw_error)
    assert delivery.is_report
    assert (delivery.source_addr, delivery.dest_addr) == (f"3361234{ending}", "Carillon")


async def test_text_and_parameters_agree(bound: Connect) -> None:
    client = await bound()
    await client.submit("33612340001", b"dinner at eight, and bring a friend")
    [delivery] = await client.deliveries(1)
    alone = parse_report(delivery.short_message)
    assert (alone.ref, alone.state) == (read(delivery).ref, "undelivered")
    assert alone.raw_error == "001"
    assert delivery.short_message.endswith(b" text:dinner at eight, and")


async def test_never_reported(bound: Connect, operator: Operator) -> None:
    client = await bound()
    assert (await client.submit("33612340003")).ok
    await client.submit("33612345678")
    await client.deliveries(1)
    await asyncio.sleep(0.05)
    assert len(client.delivered) == 1
    assert operator.books.counters.receipts_made == 1


@pytest.mark.parametrize(
    ("ending", "status", "tries"),
    [("0004", Status.THROTTLED, 3), ("0010", Status.SYSERR, 1), ("0011", Status.MSGQFUL, 1)],
)
async def test_refused_at_first(bound: Connect, operator: Operator, ending: str, status: int, tries: int) -> None:
    client = await bound()
    number = f"3361234{ending}"
    answers = [await client.submit(number) for _ in range(tries + 1)]
    assert [answer.status for answer in answers] == [status] * tries + [0]
    assert (await client.submit(number, b"another message")).status == status
    assert operator.books.handsets.counts == {number: 1}


async def test_each_part_has_its_own_tries(bound: Connect) -> None:
    client = await bound()
    statuses = [(await client.submit("33612340010", bytes((5, 0, 3, 7, 2, place)) + b"x", esm_class=0x40)).status
                for place in (1, 2, 1, 2)]  # fmt: skip
    assert statuses == [Status.SYSERR, Status.SYSERR, 0, 0]


async def test_refused_for_good(bound: Connect, operator: Operator) -> None:
    client = await bound()
    assert [(await client.submit("33612340006")).status for _ in range(3)] == [Status.INVDSTADR] * 3
    assert operator.books.counters.refused == 3
    assert operator.books.handsets.counts == {}


async def test_reported_late(bound: Connect, operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await bound()
    await client.submit("33612340005")
    await asyncio.sleep(0.1)
    assert client.delivered == []
    [shown] = operator.books.handsets.of("33612340005", 1)
    assert shown.done_ms - shown.received_ms == 1000 * fates.LATE_S + 20
    assert len(operator.reporting) == 1


async def test_reported_twice(bound: Connect) -> None:
    client = await bound()
    await client.submit("33612340007")
    first, second = await client.deliveries(2)
    assert first.short_message == second.short_message


async def test_reported_before_the_answer(bound: Connect) -> None:
    client = await bound()
    outcome = await client.submit("33612340008")
    assert client.events == ["delivery", "answer"]
    assert read(client.delivered[0]).ref == outcome.message_id


async def test_reported_before_the_answer_on_another_bind(bound: Connect) -> None:
    receiver, transmitter = await bound("receiver"), await bound("transmitter")
    submit = asyncio.create_task(transmitter.submit("33612340008"))
    await receiver.deliveries(1)
    assert not submit.done()
    assert (await submit).ok


async def test_never_answered(bound: Connect, operator: Operator) -> None:
    client = await bound()
    submit = asyncio.create_task(client.submit("33612340012"))
    await client.deliveries(1)
    assert not submit.done()
    assert operator.books.handsets.counts == {"33612340012": 1}
    client.bind.close("gave up")
    assert (await submit).kind == "lost"


async def test_intermediate_notification_first(bound: Connect) -> None:
    client = await bound()
    await client.submit("33612340013")
    first, second = await client.deliveries(2)
    assert (first.esm_class, read(first).state) == (0x20, "enroute")
    assert (second.esm_class, read(second).state) == (0x04, "delivered")


def test_every_rule_is_found_by_its_ending() -> None:
    assert [rule_for(f"336{rule.ending}") for rule in RULES] == list(RULES)
    assert len({rule.ending for rule in RULES}) == len(RULES)
    assert rule_for("1").ending == ""


async def test_rules_can_be_off(bound: Connect, operator: Operator) -> None:
    operator.set_faults({"rules": False})
    client = await bound()
    assert all([(await client.submit(f"3361234{rule.ending}")).ok for rule in RULES])
    assert {read(delivery).state for delivery in await client.deliveries(len(RULES))} == {"delivered"}
