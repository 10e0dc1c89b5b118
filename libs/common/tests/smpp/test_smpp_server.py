"""`SmppServer` against clients of our own and against peers that break the rules by hand."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from carillon.smpp import (
    Bind,
    BindRefusedError,
    BindSettings,
    NoRoomError,
    Outcome,
    PduError,
    ServerSession,
    ShortMessage,
    Status,
    connect,
)
from carillon.smpp.message import encode_data_sm, encode_short_message
from carillon.smpp.operations import (
    Address,
    Cancel,
    Query,
    QueryAnswer,
    Replace,
    SubmitMulti,
    decode_query_answer,
    decode_submit_multi_answer,
    encode_cancel,
    encode_query,
    encode_query_answer,
    encode_replace,
    encode_submit_multi,
    encode_submit_multi_answer,
)
from carillon.testing.smpp_owners import Smsc, answer_to
from carillon.testing.smpp_peer import RawPeer, until

SUBMIT, DELIVER, UNBIND, ENQUIRE = 4, 5, 6, 0x15
RESP = 0x80000000
MESSAGE = ShortMessage(source_addr="Carillon", dest_addr="33612345678", short_message=b"hello")
SUBMIT_BODY = encode_short_message(MESSAGE)
Start = Callable[..., Awaitable[Smsc]]
REPORT = ShortMessage(esm_class=4, short_message=b"id:1 stat:DELIVRD")


async def test_client_and_server_understand_each_other(start: Start) -> None:
    smsc = await start(system_id="carillon-sim")
    bind = await smsc.client(mode="transmitter", system_type="push")
    assert bind.operator_system_id == "carillon-sim"
    request, peer = smsc.binds[0]
    assert (request.system_id, request.mode, request.system_type) == ("me", "transmitter", "push")
    assert peer.startswith("127.0.0.1:")
    outcome = await answer_to(lambda done: bind.submit(MESSAGE, done))
    assert (outcome.ok, outcome.message_id) == (True, "id1")
    assert smsc.asked[0][2] == MESSAGE
    await bind.unbind_and_close()
    await until(lambda: smsc.closed == ["the peer unbound"])


async def test_a_wrong_password_is_refused_and_the_connection_closed(start: Start) -> None:
    smsc = await start()
    with pytest.raises(BindRefusedError, match="ESME_RINVPASWD"):
        await smsc.client(password="wrong")
    raw = await smsc.raw()
    assert await raw.bind(password=b"wrong") == Status.INVPASWD
    assert await raw.at_end()
    with pytest.raises(BindRefusedError, match="ESME_RBINDFAIL"):
        await smsc.client(system_id="crash")
    assert (smsc.bound, smsc.closed) == ([], [])


async def test_answers_come_later_and_in_any_order(start: Start) -> None:
    smsc = await start()
    smsc.answers_at_once = False
    raw = await smsc.raw()
    await raw.bind()
    for sequence in (11, 12, 13):
        raw.send(SUBMIT, 0, sequence, SUBMIT_BODY)
    await until(lambda: len(smsc.asked) == 3)
    assert smsc.bound[0].unanswered == 3
    for session, sequence, _ in reversed(smsc.asked):
        session.answer_submit(sequence, 0, str(sequence))
    assert [(await raw.read())[2:] for _ in range(3)] == [(13, b"13\0"), (12, b"12\0"), (11, b"11\0")]


async def test_an_owner_may_refuse_and_may_fail(start: Start) -> None:
    smsc = await start()

    def refuses(session: ServerSession, sequence: int, message: ShortMessage) -> None:
        raise PduError(Status.INVSRCADR) if message.source_addr == "bad" else ZeroDivisionError

    smsc.handlers.on_submit = refuses
    bind = await smsc.client()
    refused = await answer_to(lambda done: bind.submit(ShortMessage(source_addr="bad"), done))
    failed = await answer_to(lambda done: bind.submit(MESSAGE, done))
    assert (refused.status, failed.status) == (Status.INVSRCADR, Status.SYSERR)
    assert smsc.bound[0].unanswered == 0


async def test_deliveries_have_a_window_of_their_own(start: Start) -> None:
    smsc = await start(window=2)
    got: list[int] = []
    bind = await smsc.client(on_deliver=lambda _bind, sequence, _message: got.append(sequence))
    session = smsc.bound[0]
    acks: list[Outcome] = []
    for _ in range(2):
        session.deliver(REPORT, acks.append)
    with pytest.raises(NoRoomError):
        session.deliver(REPORT, acks.append)
    await until(lambda: len(got) == 2)
    bind.acknowledge(got[0])
    await until(lambda: smsc.rooms == [1])
    session.deliver(encode_short_message(REPORT), acks.append)
    await until(lambda: len(got) == 3)
    bind.acknowledge(got[1], Status.X_T_APPN)
    await until(lambda: len(acks) == 2)
    assert [ack.ok for ack in acks] == [True, False]
    bind.close("gone")
    await until(lambda: smsc.closed)
    assert acks[2].kind == "lost"  # to be sent again when the client is back


async def test_the_rarer_requests_reach_their_handlers(start: Start) -> None:
    smsc = await start()
    h = smsc.handlers
    h.on_data = h.on_multi = h.on_query = h.on_cancel = h.on_replace = smsc.ask
    bind = await smsc.client()
    me, you = Address(5, 0, "Carillon"), Address(1, 1, "33612345678")
    multi = SubmitMulti(ShortMessage(source_addr="Carillon", short_message=b"hi"), [you, "list"])
    query, cancel = Query("id1", me), Cancel("id1", me, you)
    replace = Replace("id1", me, b"new")
    answers: list[Outcome] = []
    bind.request(0x21, encode_submit_multi(multi), answers.append)
    bind.request(0x03, encode_query(query), answers.append)
    bind.request(0x08, encode_cancel(cancel), answers.append)
    bind.request(0x07, encode_replace(replace), answers.append)
    bind.submit_data(ShortMessage(short_message=b"data"), answers.append)
    await until(lambda: len(smsc.asked) == 5)
    assert [what for _, _, what in smsc.asked[:4]] == [multi, query, cancel, replace]
    assert smsc.asked[4][2].user_data == b"data"
    state = QueryAnswer("id1", "", 1, 0)
    bodies = [encode_submit_multi_answer("id1", [(you, 0x0B)]), encode_query_answer(state), b"", b""]
    for (session, sequence, _), body in zip(smsc.asked, bodies, strict=False):
        session.answer(sequence, 0, body)
    session, sequence, _ = smsc.asked[4]
    session.answer_submit(sequence, 0, "id5")
    await until(lambda: len(answers) == 5)
    assert all(answer.ok for answer in answers)
    assert decode_submit_multi_answer(answers[0].body) == ("id1", [(you, 0x0B)])
    assert decode_query_answer(answers[1].body) == state
    assert answers[4].message_id == "id5"


async def test_who_does_not_bind_in_time_is_cut_off(start: Start) -> None:
    smsc = await start(bind_timeout_s=0.05, response_timeout_s=0.1)
    raw = await smsc.raw()
    raw.send(ENQUIRE, 0, 1)
    await raw.read()
    assert await raw.at_end()
    assert smsc.closed == []


async def test_too_many_sessions_are_turned_away(start: Start) -> None:
    smsc = await start(max_sessions=1)
    first = await smsc.client()
    assert await (await smsc.raw()).at_end()
    await first.unbind_and_close()
    await until(lambda: smsc.closed)
    await smsc.client()


async def test_a_client_that_leaves_during_authentication_is_forgotten(start: Start) -> None:
    smsc = await start()
    smsc.let_in.clear()
    raw = await smsc.raw()
    raw.send(9, 0, 1, b"me\0secret\0\0\x34\0\0\0")
    await until(lambda: smsc.binds)
    raw.close()
    server = smsc.server
    await until(lambda: not server.sessions)
    smsc.let_in.set()
    await asyncio.sleep(0.01)
    assert smsc.bound == []


async def test_a_client_that_does_not_read_is_not_read(start: Start) -> None:
    smsc = await start()
    raw = await smsc.raw()
    await raw.bind()
    session = smsc.bound[0]
    enquire = RawPeer.pdu(ENQUIRE, 0, 1) * 1_000
    async with asyncio.timeout(20):
        while session._writable:
            raw.writer.write(enquire)
            await asyncio.sleep(0)
    before_s = session._heard_s
    for _ in range(20):
        raw.writer.write(enquire)
        await asyncio.sleep(0.005)
    assert session._heard_s == before_s
    assert session._transport is not None
    assert session._transport.get_write_buffer_size() < 1_000_000
    async with asyncio.timeout(20):
        while session._heard_s == before_s:
            assert await raw.reader.read(1_000_000)


async def test_stop_answers_what_is_open_unbinds_and_closes(start: Start) -> None:
    smsc = await start()
    smsc.answers_at_once = False
    raw, unbound = await smsc.raw(), await smsc.raw()
    await raw.bind()
    raw.send(SUBMIT, 0, 2, SUBMIT_BODY)
    await until(lambda: smsc.asked)
    port = smsc.server.port
    stopping = asyncio.create_task(smsc.server.stop(5))
    assert await unbound.at_end()
    with pytest.raises(OSError, match="Connect"):
        await RawPeer.connect(port)
    raw.send(SUBMIT, 0, 3, SUBMIT_BODY)
    assert (await raw.read())[:3] == (SUBMIT | RESP, Status.MSGQFUL, 3)  # try again later
    session, sequence, _ = smsc.asked[0]
    session.answer_submit(sequence, 0, "1")
    assert await raw.read() == (SUBMIT | RESP, 0, 2, b"1\0")
    command_id, _, unbind_sequence, _ = await raw.read()
    assert command_id == UNBIND
    raw.send(UNBIND | RESP, 0, unbind_sequence)
    await stopping
    assert await raw.at_end()
    assert smsc.closed == ["unbound"]


async def test_data_sm_from_a_client_is_checked_for_its_state(start: Start) -> None:
    smsc = await start()
    smsc.handlers.on_data = smsc.ask
    raw = await smsc.raw()
    raw.send(0x103, 0, 1, encode_data_sm(MESSAGE))
    assert await raw.read() == (0x103 | RESP, Status.INVBNDSTS, 1, b"")
    assert smsc.asked == []


async def test_ten_thousand_messages_both_ways(start: Start) -> None:
    smsc = await start(window=20)
    left = delivered = 0
    answered: list[str] = []
    acks: list[Outcome] = []

    def on_deliver(bind: Bind, sequence: int, _message: ShortMessage) -> None:
        nonlocal delivered
        delivered += 1
        bind.acknowledge(sequence)

    def pump(session: ServerSession) -> None:
        while session.free and len(acks) + len(session._window) < len(smsc.asked):
            session.deliver(REPORT, acks.append)

    def on_submit(session: ServerSession, sequence: int, message: ShortMessage) -> None:
        smsc.asked.append((session, sequence, message))
        session.answer_submit(sequence, 0, f"{len(smsc.asked):x}")
        pump(session)

    def fill(bind: Bind) -> None:
        nonlocal left
        while bind.free and left:
            left -= 1
            bind.submit(SUBMIT_BODY, lambda outcome: answered.append(outcome.message_id))

    smsc.handlers.on_submit = on_submit
    smsc.handlers.on_room = pump
    settings = BindSettings(host="127.0.0.1", port=smsc.server.port, system_id="me", password="secret", window=30)
    bind = await connect(settings, on_deliver=on_deliver, on_room=fill)
    left = 10_000
    fill(bind)
    await until(lambda: len(acks) == 10_000, 30)
    assert answered == [f"{n:x}" for n in range(1, 10_001)]
    assert delivered == 10_000
    assert all(ack.ok for ack in acks)
    await bind.unbind_and_close()
