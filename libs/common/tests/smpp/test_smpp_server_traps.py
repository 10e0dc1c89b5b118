"""The traps of SMPP on the server's side."""

import struct
from collections.abc import Awaitable, Callable

import pytest

from carillon.smpp import (
    NoRoomError,
    Outcome,
    ShortMessage,
    Status,
)
from carillon.smpp.message import encode_short_message
from carillon.testing.smpp_owners import Smsc, answer_to
from carillon.testing.smpp_peer import until

SUBMIT, DELIVER, UNBIND, ENQUIRE = 4, 5, 6, 0x15
RESP = 0x80000000
MESSAGE = ShortMessage(source_addr="Carillon", dest_addr="33612345678", short_message=b"hello")
SUBMIT_BODY = encode_short_message(MESSAGE)
Start = Callable[..., Awaitable[Smsc]]
REPORT = ShortMessage(esm_class=4, short_message=b"id:1 stat:DELIVRD")


async def test_trap_01_a_framing_error_is_nacked_and_closes_the_client_only(start: Start) -> None:
    smsc = await start()
    other = await smsc.client()
    for garbage in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", struct.pack(">IIII", 15, 4, 0, 1), b"\0\0\0\0"):
        raw = await smsc.raw()
        raw.writer.write(garbage)
        assert await raw.read() == (RESP, Status.INVCMDLEN, 0, b"")
        assert await raw.at_end()
    assert (await answer_to(lambda done: other.submit(MESSAGE, done))).ok


async def test_trap_02_unknown_commands_are_nacked_and_unserved_ones_refused(start: Start) -> None:
    smsc = await start()
    raw = await smsc.raw()
    await raw.bind()
    raw.send(0x77, 0, 5)
    assert await raw.read() == (RESP, Status.INVCMDID, 5, b"")
    for command_id in (0x03, 0x07, 0x08, 0x21, 0x103):
        raw.send(command_id, 0, 6, b"whatever")
        assert await raw.read() == (command_id | RESP, Status.INVCMDID, 6, b"")


async def test_trap_03_an_error_answer_has_no_body(start: Start) -> None:
    smsc = await start()
    smsc.answers_at_once = False
    raw = await smsc.raw()
    await raw.bind()
    raw.send(SUBMIT, 0, 2, SUBMIT_BODY)
    await until(lambda: smsc.asked)
    session, sequence, _ = smsc.asked[0]
    assert session.answer_submit(sequence, 0x410, "ignored")
    assert await raw.read() == (SUBMIT | RESP, 0x410, 2, b"")
    assert not session.answer_submit(sequence, 0, "again")


async def test_trap_06_what_does_not_fit_its_field_is_refused(start: Start) -> None:
    smsc = await start()
    raw = await smsc.raw()
    await raw.bind()
    head, tail = b"\0\0\0", bytes(11)
    bodies = {
        head + b"x" * 21 + b"\0\1\1" + b"336" + tail: Status.INVSRCADR,
        head + b"caf\xe9" + b"\0\1\1" + b"336" + tail: Status.INVSRCADR,
        head + b"me" + b"\0\1\1" + b"3" * 21 + tail: Status.INVDSTADR,
        b"CMT" + head: Status.INVCMDLEN,
        SUBMIT_BODY + b"\x04\x27\0": Status.INVOPTPARSTREAM,
        SUBMIT_BODY[:-1]: Status.INVMSGLEN,
    }
    for body, status in bodies.items():
        raw.send(SUBMIT, 0, 2, body)
        assert await raw.read() == (SUBMIT | RESP, status, 2, b"")
    assert smsc.asked == []
    assert smsc.bound[0].unanswered == 0


async def test_trap_10_bind_states_are_enforced(start: Start) -> None:
    smsc = await start()
    raw = await smsc.raw()
    raw.send(ENQUIRE, 0, 1)
    assert await raw.read() == (ENQUIRE | RESP, 0, 1, b"")
    raw.send(SUBMIT, 0, 2, SUBMIT_BODY)
    assert await raw.read() == (SUBMIT | RESP, Status.INVBNDSTS, 2, b"")
    smsc.let_in.clear()
    raw.send(9, 0, 3, b"me\0secret\0\0\x34\0\0\0")
    raw.send(9, 0, 4, b"me\0secret\0\0\x34\0\0\0")
    assert await raw.read() == (9 | RESP, Status.ALYBND, 4, b"")
    raw.send(SUBMIT, 0, 5, SUBMIT_BODY)
    assert await raw.read() == (SUBMIT | RESP, Status.INVBNDSTS, 5, b"")
    raw.send(ENQUIRE, 0, 6)
    assert await raw.read() == (ENQUIRE | RESP, 0, 6, b"")
    smsc.let_in.set()
    assert await raw.read() == (9 | RESP, 0, 3, b"carillon\0\x02\x10\0\x01\x34")
    raw.send(2, 0, 7, b"me\0secret\0\0\x34\0\0\0")
    assert (await raw.read())[:3] == (2 | RESP, Status.ALYBND, 7)
    raw.send(UNBIND, 0, 8)
    assert await raw.read() == (UNBIND | RESP, 0, 8, b"")
    assert await raw.at_end()


async def test_trap_10_a_receiver_may_not_submit_and_a_transmitter_gets_nothing(start: Start) -> None:
    smsc = await start()
    raw = await smsc.raw()
    await raw.bind(1)
    raw.send(SUBMIT, 0, 2, SUBMIT_BODY)
    assert (await raw.read())[1] == Status.INVBNDSTS
    await smsc.client(mode="transmitter")
    receiver, transmitter = smsc.bound
    assert (receiver.can_receive, transmitter.can_receive) == (True, False)
    with pytest.raises(NoRoomError):
        transmitter.deliver(REPORT, lambda _: None)


async def test_trap_10_unbind_waits_for_the_answers_that_we_owe(start: Start) -> None:
    smsc = await start()
    smsc.answers_at_once = False
    raw = await smsc.raw()
    await raw.bind()
    raw.send(SUBMIT, 0, 2, SUBMIT_BODY)
    raw.send(UNBIND, 0, 3)
    raw.send(SUBMIT, 0, 4, SUBMIT_BODY)
    assert (await raw.read())[:3] == (SUBMIT | RESP, Status.INVBNDSTS, 4)
    session, sequence, _ = smsc.asked[0]
    session.answer_submit(sequence, 0, "1")
    assert await raw.read() == (SUBMIT | RESP, 0, 2, b"1\0")
    assert await raw.read() == (UNBIND | RESP, 0, 3, b"")
    assert await raw.at_end()


async def test_trap_12_over_its_window_a_client_is_throttled(start: Start) -> None:
    smsc = await start(max_unanswered=2)
    smsc.answers_at_once = False
    bind = await smsc.client(throttle_pause_s=0)
    outcomes: list[Outcome] = []
    for _ in range(3):
        bind.submit(MESSAGE, outcomes.append)
    await until(lambda: outcomes)
    assert outcomes == [Outcome("answered", Status.THROTTLED)]
    for session, sequence, _ in smsc.asked:
        session.answer_submit(sequence, 0, "1")
    await until(lambda: len(outcomes) == 3)
    assert bind.free == 10
