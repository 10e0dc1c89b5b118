"""`Bind` against a peer that does by hand what operators do."""

import asyncio
import socket

import pytest

from carillon.smpp import (
    BindRefusedError,
    BindSettings,
    NoRoomError,
    Outcome,
    PduError,
    ShortMessage,
    Status,
    connect,
)
from carillon.smpp.message import encode_data_sm, encode_short_message
from carillon.testing.smpp_owners import Owner
from carillon.testing.smpp_peer import RawSmsc, until

SUBMIT, DELIVER, UNBIND, ENQUIRE, DATA = 4, 5, 6, 0x15, 0x103
RESP = 0x80000000
MESSAGE = ShortMessage(source_addr="Carillon", dest_addr="33612345678", short_message=b"hello")
REPORT = encode_short_message(ShortMessage(esm_class=4, short_message=b"id:007 stat:DELIVRD"))


async def test_bind_and_submit(smsc: RawSmsc, owner: Owner) -> None:
    bind, peer = await owner.bind(smsc)
    assert bind.operator_system_id == "rawsmsc"
    sequence = bind.submit(MESSAGE, owner.on_answer)
    assert await peer.read() == (SUBMIT, 0, sequence, encode_short_message(MESSAGE))
    peer.send(SUBMIT | RESP, 0, sequence, b"a1B2\0")
    await until(lambda: owner.outcomes)
    assert owner.outcomes == [Outcome("answered", 0, b"a1B2\0")]
    assert owner.outcomes[0].ok
    assert owner.outcomes[0].message_id == "a1B2"


@pytest.mark.parametrize("mode", ["transceiver", "transmitter", "receiver"])
async def test_each_bind_mode(smsc: RawSmsc, owner: Owner, mode: str) -> None:
    bind, _ = await owner.bind(smsc, mode=mode)
    assert bind.free == (0 if mode == "receiver" else 10)


async def test_the_socket_does_not_wait_to_send(smsc: RawSmsc, owner: Owner) -> None:
    bind, _ = await owner.bind(smsc)
    assert bind._transport is not None
    assert bind._transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_a_refused_bind_says_why(smsc: RawSmsc, owner: Owner) -> None:
    settings = BindSettings(host="127.0.0.1", port=smsc.port, system_id="me")
    connecting = asyncio.create_task(connect(settings, on_deliver=owner.on_deliver))
    peer = await smsc.accept()
    await peer.read()
    peer.send(9 | RESP, 0x0E, 1)
    with pytest.raises(BindRefusedError, match="ESME_RINVPASWD") as error:
        await connecting
    assert error.value.status == Status.INVPASWD
    assert await peer.at_end()


async def test_an_operator_that_hangs_up_or_says_nothing_fails_the_bind(smsc: RawSmsc, owner: Owner) -> None:
    silent = BindSettings(host="127.0.0.1", port=smsc.port, system_id="me", response_timeout_s=0.05)
    with pytest.raises(TimeoutError):
        await connect(silent, on_deliver=owner.on_deliver)
    await smsc.accept()
    connecting = asyncio.create_task(connect(silent, on_deliver=owner.on_deliver))
    (await smsc.accept()).close()
    with pytest.raises(ConnectionError):
        await connecting


async def test_a_password_that_does_not_fit_is_an_error_before_anything_is_sent(smsc: RawSmsc, owner: Owner) -> None:
    settings = BindSettings(host="127.0.0.1", port=smsc.port, system_id="me", password="nine char")
    with pytest.raises(PduError, match="ESME_RINVPASWD"):
        await connect(settings, on_deliver=owner.on_deliver)
    assert await (await smsc.accept()).at_end()


async def test_a_report_comes_as_data_sm_too(smsc: RawSmsc, owner: Owner) -> None:
    bind, peer = await owner.bind(smsc)
    peer.send(DATA, 0, 8, encode_data_sm(ShortMessage(esm_class=4, short_message=b"id:1")))
    await until(lambda: owner.reports)
    assert owner.reports[0][1].user_data == b"id:1"
    bind.acknowledge(8)
    assert await peer.read() == (DATA | RESP, 0, 8, b"\0")


async def test_a_report_that_cannot_be_read_is_refused_alone(smsc: RawSmsc, owner: Owner) -> None:
    _, peer = await owner.bind(smsc)
    peer.send(DELIVER, 0, 1, b"\0\0")
    assert await peer.read() == (DELIVER | RESP, Status.INVCMDLEN, 1, b"")
    peer.send(DELIVER, 0, 2, REPORT)
    await until(lambda: owner.reports)


async def test_too_many_unacknowledged_reports_are_sent_back_for_later(smsc: RawSmsc, owner: Owner) -> None:
    bind, peer = await owner.bind(smsc, max_unacknowledged=2)
    for sequence in (1, 2, 3):
        peer.send(DELIVER, 0, sequence, REPORT)
    assert (await peer.read())[:3] == (DELIVER | RESP, Status.X_T_APPN, 3)
    bind.acknowledge(1)
    assert (await peer.read())[:3] == (DELIVER | RESP, 0, 1)


async def test_a_nack_without_a_status_is_still_no(smsc: RawSmsc, owner: Owner) -> None:
    bind, peer = await owner.bind(smsc)
    peer.send(RESP, 0, bind.submit(MESSAGE, owner.on_answer))
    await until(lambda: owner.outcomes)
    assert owner.outcomes == [Outcome("answered", Status.UNKNOWNERR)]


async def test_unbind_does_not_wait_for_ever_for_the_owner(smsc: RawSmsc, owner: Owner) -> None:
    bind, peer = await owner.bind(smsc, response_timeout_s=0.1)
    peer.send(DELIVER, 0, 1, REPORT)
    peer.send(UNBIND, 0, 2)
    assert (await peer.read())[:3] == (UNBIND | RESP, 0, 2)
    assert not bind.acknowledge(1)


async def test_unbind_and_close_ends_in_time_with_a_dead_operator(smsc: RawSmsc, owner: Owner) -> None:
    bind, _ = await owner.bind(smsc)
    bind.submit(MESSAGE, owner.on_answer)
    await bind.unbind_and_close(0.1)
    assert owner.outcomes == [Outcome("lost")]
    assert owner.closed == ["unbind timed out"]
    await bind.unbind_and_close(0.1)


async def test_a_silent_operator_is_asked_and_left(smsc: RawSmsc, owner: Owner) -> None:
    bind, peer = await owner.bind(smsc, enquire_interval_s=0.1, response_timeout_s=0.4)
    for _ in range(2):
        command_id, _, sequence, _ = await peer.read()
        assert command_id == ENQUIRE
        peer.send(ENQUIRE | RESP, 0, sequence)
    assert bind.free == 10
    assert (await peer.read())[0] == ENQUIRE
    await until(lambda: owner.closed == ["enquire_link was not answered"])


async def test_a_lost_connection_ends_every_message_then_the_bind(smsc: RawSmsc, owner: Owner) -> None:
    bind, peer = await owner.bind(smsc)
    story: list[str] = []
    bind._tell_closed = lambda _bind, _reason: story.append("closed")
    for _ in range(3):
        bind.submit(MESSAGE, lambda outcome: story.append(outcome.kind))
    await peer.read()
    peer.writer.transport.abort()
    await until(lambda: "closed" in story)
    assert story == ["lost", "lost", "lost", "closed"]
    assert bind.free == 0
    with pytest.raises(NoRoomError):
        bind.submit(MESSAGE, owner.on_answer)


async def test_an_owner_that_fails_does_not_stop_the_others(smsc: RawSmsc, owner: Owner) -> None:
    bind, peer = await owner.bind(smsc)

    def fails(outcome: Outcome) -> None:
        raise ZeroDivisionError

    first, second = bind.submit(MESSAGE, fails), bind.submit(MESSAGE, owner.on_answer)
    bind.submit(MESSAGE, fails)
    peer.send(SUBMIT | RESP, 0, first, b"1\0")
    peer.send(SUBMIT | RESP, 0, second, b"2\0")
    await until(lambda: owner.outcomes)
    bind._deliver = lambda *_: fails(owner.outcomes[0])
    peer.writer.write(peer.pdu(DELIVER, 0, 9, REPORT))
    while (answer := await peer.read())[0] == SUBMIT:
        pass
    assert answer[:3] == (DELIVER | RESP, Status.SYSERR, 9)
    peer.close()
    await until(lambda: owner.closed)


async def test_an_operator_that_does_not_read_stops_the_bind(smsc: RawSmsc, owner: Owner) -> None:
    bind, peer = await owner.bind(smsc, window=200_000)
    body = encode_short_message(ShortMessage(dest_addr="336", short_message=b"x" * 254))
    sent = 0
    while bind.free and sent < 150_000:
        for _ in range(200):
            bind.submit(body, owner.on_answer)
        sent += 200
        await asyncio.sleep(0)
    assert bind.free == 0
    assert sent < 150_000
    for _ in range(sent):
        await peer.read()
    await until(lambda: owner.rooms)
    assert bind.free > 0
