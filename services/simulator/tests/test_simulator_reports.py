"""Reports wait for a bind and come again until they are acknowledged."""

import asyncio

import pytest

from carillon.smpp import BindRefusedError, ShortMessage, Status, Tag
from simulator import outbox
from simulator.operator import Operator
from simulator.testing import Client, Connect


async def settled(operator: Operator, acked: int) -> None:
    async with asyncio.timeout(3):
        while operator.books.counters.receipts_acked < acked:
            await asyncio.sleep(0.005)


async def test_unacknowledged_reports_come_again_after_the_next_bind(bound: Connect, operator: Operator) -> None:
    silent = await bound(acknowledges_with=None)
    numbers = {f"336123456{place:02d}" for place in range(20)}
    for number in sorted(numbers):
        await silent.submit(number)
    await silent.deliveries(20)
    silent.bind.close("crashed")
    client = await bound()
    assert {message.source_addr for message in await client.deliveries(20)} == numbers
    await settled(operator, 20)
    counters = operator.books.counters
    assert (counters.receipts_made, counters.receipts_sent, counters.receipts_acked) == (20, 40, 20)


async def test_reports_wait_for_a_bind_that_can_receive(bound: Connect) -> None:
    transmitter = await bound("transmitter")
    await transmitter.submit("33612345678")
    await asyncio.sleep(0.05)
    assert transmitter.delivered == []
    receiver = await bound("receiver")
    await receiver.deliveries(1)


async def test_reports_stay_with_their_system_id(bound: Connect) -> None:
    north, other = await bound(system_id="north"), await bound()
    await north.submit("33612345678")
    await north.deliveries(1)
    assert other.delivered == []


async def test_every_receiver_of_a_system_id_gets_some(bound: Connect, operator: Operator) -> None:
    clients = [await bound(), await bound()]
    operator.set_faults({"receipt_delay_s": 0.1})
    for place in range(150):
        await clients[0].submit(f"336{place + 7000:08d}")
    await settled(operator, 150)
    assert all(client.delivered for client in clients)
    assert sum(len(client.delivered) for client in clients) == 150


async def test_the_window_of_a_bind_is_kept(bound: Connect, operator: Operator) -> None:
    silent = await bound(acknowledges_with=None)
    for place in range(150):
        await silent.submit(f"336{place + 7000:08d}")
    await silent.deliveries(100)
    await asyncio.sleep(0.05)
    assert len(silent.delivered) == 100
    assert len(operator.outboxes["carillon"].waiting) == 50


async def test_refused_reports_come_again(bound: Connect, operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "RETRY_S", 0.02)
    client = await bound(acknowledges_with=int(Status.X_T_APPN))
    await client.submit("33612345678")
    await client.deliveries(3)
    client.acknowledges_with = 0
    await settled(operator, 1)
    assert operator.books.counters.receipts_refused >= 3


async def test_a_report_that_is_always_refused_is_given_up(
    bound: Connect, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "RETRY_S", 0.001)
    client = await bound(acknowledges_with=int(Status.SYSERR))
    await client.submit("33612345678")
    await client.deliveries(outbox.MAX_TRIES)
    await asyncio.sleep(0.05)
    assert len(client.delivered) == outbox.MAX_TRIES
    assert operator.books.counters.receipts_dropped == 1


async def test_the_oldest_reports_make_room(
    bound: Connect, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MAX_WAITING", 5)
    transmitter = await bound("transmitter")
    for place in range(8):
        await transmitter.submit(f"336{place + 7000:08d}")
    async with asyncio.timeout(3):
        while operator.books.counters.receipts_made < 8:
            await asyncio.sleep(0.005)
    receiver = await bound("receiver")
    assert {message.source_addr for message in await receiver.deliveries(5)} == {
        f"336{at + 7000:08d}" for at in range(3, 8)
    }
    assert operator.books.counters.receipts_dropped == 3


@pytest.mark.parametrize(
    ("registered", "number", "reported"),
    [(0, "33612345678", False), (1, "33612345678", True), (2, "33612345678", False), (2, "33612340001", True),
     (3, "33612345678", True), (3, "33612340001", False), (17, "33612345678", True)],
)  # fmt: skip
async def test_reports_only_when_asked_for(
    bound: Connect, operator: Operator, registered: int, number: str, reported: bool
) -> None:
    client = await bound()
    await client.submit(number, registered=registered)
    await client.submit("33699999999")
    await client.deliveries(1 + reported)
    assert operator.books.counters.receipts_made == 1 + reported


async def test_reports_without_parameters(bound: Connect, operator: Operator) -> None:
    operator.set_faults({"no_tlvs": True})
    client = await bound()
    outcome = await client.submit("33612345678")
    [delivery] = await client.deliveries(1)
    assert delivery.tlvs == {}
    assert delivery.short_message.startswith(f"id:{outcome.message_id} sub:001 dlvrd:001 submit date:".encode())


async def test_answers_in_hexadecimal_reports_in_decimal(bound: Connect, operator: Operator) -> None:
    operator.set_faults({"hex_ids": True})
    client = await bound()
    outcome = await client.submit("33612345678")
    [delivery] = await client.deliveries(1)
    assert str(int(outcome.message_id, 16)) == delivery.tlv_text(Tag.RECEIPTED_MESSAGE_ID)


async def test_report_at_once_follows_the_answer(bound: Connect, operator: Operator) -> None:
    operator.set_faults({"receipt_delay_s": 0})
    client = await bound()
    await client.submit("33612345678")
    await client.deliveries(1)
    assert client.events == ["answer", "delivery"]


async def test_data_sm_is_taken_like_submit_sm(bound: Connect, operator: Operator) -> None:
    client = await bound()
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    message = ShortMessage(
        source_addr="Carillon", dest_addr="33612345678", short_message=b"long", registered_delivery=1
    )
    client.bind.submit_data(message, lambda outcome: answer.set_result(outcome.message_id))
    assert await answer
    await client.deliveries(1)
    assert operator.books.handsets.of("33612345678", 1)[0].octets == b"long"


@pytest.mark.parametrize(("system_id", "status"), [("stranger", Status.INVSYSID)])
async def test_strangers_are_refused(operator: Operator, system_id: str, status: int) -> None:
    with pytest.raises(BindRefusedError) as refused:
        await Client().connect(operator.port, system_id=system_id)
    assert refused.value.status == status
    assert operator.books.counters.binds_refused == 1
