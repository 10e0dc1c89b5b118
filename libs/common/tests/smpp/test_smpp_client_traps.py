"""The traps of SMPP on the client's side, each against a peer that sets it by hand."""

import asyncio

import pytest

from carillon.smpp import (
    BindSettings,
    NoRoomError,
    Outcome,
    PduError,
    ShortMessage,
    Status,
    connect,
)
from carillon.smpp.constants import MAX_SEQUENCE
from carillon.smpp.message import encode_short_message
from carillon.testing.smpp_owners import Owner
from carillon.testing.smpp_peer import RawSmsc, until

SUBMIT, DELIVER, UNBIND, ENQUIRE, DATA = 4, 5, 6, 0x15, 0x103
RESP = 0x80000000
MESSAGE = ShortMessage(source_addr="Carillon", dest_addr="33612345678", short_message=b"hello")
REPORT = encode_short_message(ShortMessage(esm_class=4, short_message=b"id:007 stat:DELIVRD"))


async def test_trap_01_a_framing_error_is_nacked_and_closes(smsc: RawSmsc, owner: Owner) -> None:
    bind, peer = await owner.bind(smsc)
    sequence = bind.submit(MESSAGE, owner.on_answer)
    await peer.read()
    peer.writer.write(peer.pdu(SUBMIT | RESP, 0, sequence, b"1\0") + b"\xff\xff\xff\xff" + bytes(12))
    assert await peer.read() == (RESP, Status.INVCMDLEN, 0, b"")
    assert await peer.at_end()
    assert [o.message_id for o in owner.outcomes] == ["1"]
    await until(lambda: owner.closed == ["framing: command_length 4294967295"])


async def test_trap_02_vendor_codes_pass_and_unknown_commands_are_nacked(smsc: RawSmsc, owner: Owner) -> None:
    bind, peer = await owner.bind(smsc)
    sequence = bind.submit(MESSAGE, owner.on_answer)
    await peer.read()
    peer.send(SUBMIT | RESP, 0x40A, sequence)
    peer.send(0x00010203, 0, 99, b"what is this")
    assert await peer.read() == (RESP, Status.INVCMDID, 99, b"")
    assert owner.outcomes == [Outcome("answered", 0x40A)]
    peer.send(0x80010203, 0, 100, b"an answer is never nacked")
    peer.send(0x102, 0, 101, b"\0\0\0\0\0\0\0\0")  # alert_notification has no answer
    peer.send(ENQUIRE, 0, 102)
    assert await peer.read() == (ENQUIRE | RESP, 0, 102, b"")


@pytest.mark.parametrize(
    ("status", "body", "message_id"),
    [(0x58, b"", ""), (0x0B, b"\0", ""), (0, b"", ""), (0, b"\0", ""), (0, b"no end", "no end")],
)
async def test_trap_03_an_answer_may_have_no_body_or_an_empty_id(
    smsc: RawSmsc, owner: Owner, status: int, body: bytes, message_id: str
) -> None:
    bind, peer = await owner.bind(smsc)
    peer.send(SUBMIT | RESP, status, bind.submit(MESSAGE, owner.on_answer), body)
    await until(lambda: owner.outcomes)
    assert (owner.outcomes[0].status, owner.outcomes[0].message_id) == (status, message_id)


async def test_trap_04_a_report_is_acknowledged_only_when_its_owner_says_so(smsc: RawSmsc, owner: Owner) -> None:
    bind, peer = await owner.bind(smsc)
    peer.send(DELIVER, 0, 501, REPORT)
    peer.send(ENQUIRE, 0, 502)
    assert (await peer.read())[:3] == (ENQUIRE | RESP, 0, 502)  # and nothing before it
    assert [sequence for sequence, _ in owner.reports] == [501]
    assert bind.unacknowledged == 1
    assert bind.acknowledge(501)
    assert await peer.read() == (DELIVER | RESP, 0, 501, b"\0")
    assert not bind.acknowledge(501)
    peer.send(DELIVER, 0, 503, REPORT)
    await until(lambda: len(owner.reports) == 2)
    bind.acknowledge(503, Status.X_T_APPN)
    assert (await peer.read())[1] == Status.X_T_APPN


async def test_trap_04_a_bad_tlv_does_not_cost_the_report(smsc: RawSmsc, owner: Owner) -> None:
    bind, peer = await owner.bind(smsc)
    peer.send(DELIVER, 0, 7, REPORT + b"\x04\x27\x00\x09\x02")
    await until(lambda: owner.reports)
    sequence, message = owner.reports[0]
    assert message.bad_tlv
    assert message.short_message == b"id:007 stat:DELIVRD"
    bind.acknowledge(sequence)
    assert await peer.read() == (DELIVER | RESP, 0, 7, b"\0")


async def test_trap_05_a_report_may_overtake_the_answer_in_one_segment(smsc: RawSmsc, owner: Owner) -> None:
    order: list[str] = []
    bind, peer = await owner.bind(smsc)
    bind._deliver = lambda _bind, _sequence, m: order.append(m.short_message.decode())
    sequence = bind.submit(MESSAGE, lambda outcome: order.append(outcome.message_id))
    await peer.read()
    peer.writer.write(peer.pdu(DELIVER, 0, 1, REPORT) + peer.pdu(SUBMIT | RESP, 0, sequence, b"7\0"))
    await until(lambda: len(order) == 2)
    assert order == ["id:007 stat:DELIVRD", "7"]  # ids as they came: matching is the owner's


async def test_trap_05_a_report_may_come_with_the_bind_answer(smsc: RawSmsc, owner: Owner) -> None:
    settings = BindSettings(host="127.0.0.1", port=smsc.port, system_id="me")
    connecting = asyncio.create_task(connect(settings, on_deliver=owner.on_deliver))
    peer = await smsc.accept()
    await peer.read()
    peer.writer.write(peer.pdu(9 | RESP, 0, 1, b"x\0") + peer.pdu(DELIVER, 0, 1, REPORT))
    bind = await connecting
    assert len(owner.reports) == 1
    assert bind.acknowledge(1)


async def test_trap_06_an_injected_field_is_not_sent_and_takes_no_slot(smsc: RawSmsc, owner: Owner) -> None:
    bind, _ = await owner.bind(smsc, window=1)
    with pytest.raises(PduError):
        bind.submit(ShortMessage(source_addr="A\0\1\1666", dest_addr="336"), owner.on_answer)
    assert bind.free == 1


async def test_trap_07_the_window_is_counted_on_the_wire(smsc: RawSmsc, owner: Owner) -> None:
    bind, peer = await owner.bind(smsc, window=3)
    sequences = [bind.submit(MESSAGE, owner.on_answer) for _ in range(3)]
    assert bind.free == 0
    with pytest.raises(NoRoomError):
        bind.submit(MESSAGE, owner.on_answer)
    peer.send(SUBMIT | RESP, 0, sequences[1], b"id\0")
    await until(lambda: owner.rooms == [1])
    peer.send(RESP, Status.INVCMDID, sequences[0])  # generic_nack frees a slot too
    await until(lambda: owner.rooms == [1, 2])
    assert [(o.kind, o.status) for o in owner.outcomes] == [("answered", 0), ("answered", Status.INVCMDID)]


async def test_trap_07_a_timeout_frees_the_slot_and_a_late_answer_matches_nothing(smsc: RawSmsc, owner: Owner) -> None:
    bind, peer = await owner.bind(smsc, window=1, response_timeout_s=0.3)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    first = bind.submit(MESSAGE, owner.on_answer)
    await until(lambda: owner.outcomes)
    assert loop.time() - began_s > 0.29
    assert (owner.outcomes[0].kind, owner.rooms) == ("timed_out", [1])
    late: list[Outcome] = []
    second = bind.submit(MESSAGE, late.append)
    peer.send(SUBMIT | RESP, 0, first, b"late\0")
    peer.send(SUBMIT | RESP, 0, second, b"own\0")
    await until(lambda: late)
    assert [o.message_id for o in late] == ["own"]
    assert len(owner.outcomes) == 1
    assert bind.late_answers == 1


async def test_trap_07_an_answer_of_another_kind_does_not_match(smsc: RawSmsc, owner: Owner) -> None:
    bind, peer = await owner.bind(smsc)
    sequence = bind.submit(MESSAGE, owner.on_answer)
    peer.send(ENQUIRE | RESP, 0, sequence)
    peer.send(SUBMIT | RESP, 0, sequence, b"1\0")
    peer.send(SUBMIT | RESP, 0, sequence, b"2\0")
    await until(lambda: bind.late_answers == 2)
    assert [o.message_id for o in owner.outcomes] == ["1"]


async def test_trap_07_sequence_numbers_wrap_past_what_is_still_open(smsc: RawSmsc, owner: Owner) -> None:
    bind, _ = await owner.bind(smsc)
    assert bind.submit(MESSAGE, owner.on_answer) == 2  # 1 was the bind
    bind._sequence = MAX_SEQUENCE - 1
    assert bind.submit(MESSAGE, owner.on_answer) == MAX_SEQUENCE
    assert [bind.submit(MESSAGE, owner.on_answer) for _ in range(2)] == [1, 3]


async def test_trap_08_a_loop_turn_is_one_write_and_no_message_makes_a_task(smsc: RawSmsc, owner: Owner) -> None:
    bind, peer = await owner.bind(smsc, window=100)
    tasks = len(asyncio.all_tasks())
    body = encode_short_message(MESSAGE)
    for _ in range(100):
        bind.submit(body, owner.on_answer)
    assert len(asyncio.all_tasks()) == tasks
    assert len(await peer.reader.read(1_000_000)) == 100 * (16 + len(body))


async def test_trap_10_enquire_link_is_answered_before_bind_bound_and_while_unbinding(
    smsc: RawSmsc, owner: Owner
) -> None:
    settings = BindSettings(host="127.0.0.1", port=smsc.port, system_id="me")
    connecting = asyncio.create_task(connect(settings, on_deliver=owner.on_deliver))
    peer = await smsc.accept()
    assert (await peer.read())[0] == 9
    peer.send(ENQUIRE, 0, 71)
    assert await peer.read() == (ENQUIRE | RESP, 0, 71, b"")
    peer.send(9 | RESP, 0, 1, b"\0")
    bind = await connecting
    bind.submit(MESSAGE, owner.on_answer)  # stays open, so that unbinding waits
    closing = asyncio.create_task(bind.unbind_and_close(5))
    assert (await peer.read())[0] == SUBMIT
    peer.send(ENQUIRE, 0, 72)
    assert await peer.read() == (ENQUIRE | RESP, 0, 72, b"")
    peer.send(DELIVER, 0, 73, REPORT)  # too late to be made durable: comes again
    assert (await peer.read())[:2] == (DELIVER | RESP, Status.X_T_APPN)
    with pytest.raises(NoRoomError):
        bind.submit(MESSAGE, owner.on_answer)
    peer.send(SUBMIT | RESP, 0, 2, b"1\0")
    command_id, _, sequence, _ = await peer.read()
    assert command_id == UNBIND
    peer.send(UNBIND | RESP, 0, sequence)
    await closing
    assert await peer.at_end()
    assert [o.message_id for o in owner.outcomes] == ["1"]


async def test_trap_10_unbind_is_answered_after_what_is_owed_then_the_connection_closes(
    smsc: RawSmsc, owner: Owner
) -> None:
    bind, peer = await owner.bind(smsc)
    bind.submit(MESSAGE, owner.on_answer)
    await peer.read()
    peer.send(DELIVER, 0, 1, REPORT)
    peer.send(UNBIND, 0, 2)
    await until(lambda: owner.reports)
    assert bind.free == 0
    bind.acknowledge(1)
    assert await peer.read() == (DELIVER | RESP, 0, 1, b"\0")
    assert await peer.read() == (UNBIND | RESP, 0, 2, b"")
    assert await peer.at_end()
    await until(lambda: owner.closed)
    assert owner.closed == ["the peer unbound"]
    assert owner.outcomes == [Outcome("lost")]


@pytest.mark.parametrize("status", [0x58, 0x14])
async def test_trap_12_throttling_pauses_the_bind_longer_each_time(smsc: RawSmsc, owner: Owner, status: int) -> None:
    bind, peer = await owner.bind(smsc, window=4, throttle_pause_s=0.05)
    loop = asyncio.get_running_loop()
    pauses: list[float] = []
    for _ in range(3):
        sequences = [bind.submit(MESSAGE, owner.on_answer) for _ in range(2)]
        owner.rooms.clear()
        began_s = loop.time()
        for sequence in sequences:  # a burst of them is one pause
            peer.send(SUBMIT | RESP, status, sequence)
        await until(lambda: owner.rooms)
        assert bind.free == 4
        pauses.append(loop.time() - began_s)
    assert [pause_s > expected_s for pause_s, expected_s in zip(pauses, (0.045, 0.09, 0.18), strict=True)] == [True] * 3
    peer.send(SUBMIT | RESP, 0, bind.submit(MESSAGE, owner.on_answer), b"1\0")
    await until(lambda: owner.outcomes[-1].ok)
    assert bind.free == 4
    assert bind._throttle._next_s == 0.05
