"""The dispatcher between a real RabbitMQ, a real MongoDB and an operator over SMPP."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from carillon.bus import Delivery, Queue, Subscription
from carillon.bus.rabbit import RabbitBus
from carillon.bus.subscribed import Subscribed
from carillon.copies import SuppressionCopy
from carillon.events.base import LANES, Record
from carillon.events.catalogue import MESSAGE_ACCEPTED, MESSAGE_REFUSED, MESSAGE_SUBMITTED, REPORT_RECEIVED
from carillon.events.message import Accepted, Refused, Submitted
from carillon.events.report import ReportReceived
from carillon.mongo import TEMPORARY_ERRORS, Leases, Mongo, NodeLease
from carillon.runtime.clock import SystemClock
from carillon.runtime.ids import new_id
from carillon.runtime.lifecycle import start_all
from carillon.runtime.number_hash import NumberHash
from carillon.smpp.message import ShortMessage
from carillon.testing.builders import an_accepted
from carillon.testing.bus_contract import eventually
from carillon.testing.operator import ScriptedOperator
from dispatcher.consumers import route_subscriptions
from dispatcher.desk import Desk, Tools
from dispatcher.domain.operators import parse
from dispatcher.handlers import RouteMessages
from dispatcher.inbox import OperatorInbox
from dispatcher.outbox import Outbox
from dispatcher.settlement import Recent
from dispatcher.store import Journal, journal_key

pytestmark = pytest.mark.integration

OPERATOR = """
[[operators]]
name = "{name}"
port = {port}
system_id = "carillon"
binds = {binds}
window = {window}
tps = {tps}
answer_timeout_s = 2.0
"""


def operators_file(*operators: ScriptedOperator, binds: int = 1, window: int = 20, tps: int = 0) -> str:
    names = [f"op{place}" for place in range(len(operators))]
    tables = [
        OPERATOR.format(name=name, port=operator.port, binds=binds, window=window, tps=tps)
        for name, operator in zip(names, operators, strict=True)
    ]
    choices = ", ".join(f'{{ name = "{name}", weight = {int(place == 0)} }}' for place, name in enumerate(names))
    return "\n".join(tables) + f'\n[[routes]]\nprefix = ""\noperators = [ {choices} ]\n'


class Heard:
    """Everything that was said, kept."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def __call__(self, deliveries: Sequence[Delivery]) -> None:
        self.records += [record for delivery in deliveries for record in delivery.records]

    def submitted(self, outcome: str = "submitted") -> list[Submitted]:
        return [r for r in self.records if isinstance(r, Submitted) and r.outcome == outcome]

    def refused(self) -> list[Refused]:
        return [r for r in self.records if isinstance(r, Refused)]

    def reports(self) -> list[ReportReceived]:
        return [r for r in self.records if isinstance(r, ReportReceived)]


class Nobody:
    """Nobody has said STOP."""

    holds = False

    def has(self, account: str, number: str, /) -> bool:
        return False


class Bench:
    """Starts dispatchers, says messages, hears what is said."""

    journal = Journal
    numbers: NumberHash | None = None  # given: the dispatchers keep a copy of the suppressions

    def __init__(self, amqp_url: str, mongo_url: str, prefix: str) -> None:
        self._amqp_url = amqp_url
        self._mongo_url = mongo_url
        self._prefix = prefix
        self._stack = AsyncExitStack()
        self.heard = Heard()
        self.bus = RabbitBus(amqp_url, name="test", temporary=TEMPORARY_ERRORS)
        self.mongo = Mongo(mongo_url, prefix=prefix)

    async def start(self) -> None:
        keys = tuple(
            event.key(lane) for event in (MESSAGE_SUBMITTED, MESSAGE_REFUSED, REPORT_RECEIVED) for lane in LANES
        )
        await start_all([self.bus, self.mongo], self._stack)
        await self.bus.subscribe(Subscription(Queue("test.heard", keys, transient=True), self.heard))

    async def stop(self) -> None:
        await self._stack.aclose()

    async def dispatcher(self, file: str, clock: SystemClock | None = None) -> AsyncExitStack:
        """One dispatcher process's worth of parts; close the stack to stop it in order."""
        process, clock = new_id("dsp"), clock or SystemClock()
        mongo = Mongo(self._mongo_url, prefix=self._prefix)
        database = mongo.database("dispatcher")
        bus = RabbitBus(self._amqp_url, name=process, temporary=TEMPORARY_ERRORS)
        ids = NodeLease(mongo.database("carillon"), process, clock)
        outbox, recent = Outbox(bus), Recent()
        copies = (
            [SuppressionCopy(bus, database, self.numbers, service="dispatcher", process=process, patience_s=3.0)]
            if self.numbers
            else []
        )
        tools = Tools(
            bus=bus,
            outbox=outbox,
            journal=self.journal(database),
            leases=Leases(database["leases"], process, 10.0),
            recent=recent,
            inbox=OperatorInbox(outbox, recent, ids.next),
            suppressed=copies[0] if copies else Nobody(),
            clock=clock,
            process=process,
            grace_s=3.0,
        )
        desk = Desk(parse(file), tools)
        route = RouteMessages(desk.operators_for, bus, clock)
        stack = AsyncExitStack()
        await start_all([mongo, ids, bus, outbox, *copies, desk, Subscribed(bus, route_subscriptions(route))], stack)
        self._stack.push_async_callback(stack.aclose)
        return stack

    async def say(self, messages: Sequence[Accepted]) -> None:
        for lane in LANES:
            of_lane = [message for message in messages if message.lane == lane]
            if of_lane:
                await self.bus.publish(MESSAGE_ACCEPTED, of_lane, lane=lane)


@pytest.fixture
async def operator() -> AsyncIterator[ScriptedOperator]:
    operator = ScriptedOperator()
    await operator.start()
    yield operator
    await operator.stop()


@pytest.fixture
async def bench(vhost_url: str, mongo_url: str, mongo_prefix: str) -> AsyncIterator[Bench]:
    bench = Bench(vhost_url, mongo_url, mongo_prefix)
    await bench.start()
    yield bench
    await bench.stop()


def numbered(count: int, **fields: object) -> list[Accepted]:
    return [an_accepted(number=f"336{place:08d}", **fields) for place in range(count)]


async def test_every_message_is_submitted_once_and_its_report_is_heard(
    bench: Bench, operator: ScriptedOperator
) -> None:
    await bench.dispatcher(operators_file(operator, binds=2))
    messages = numbered(1_000)
    await bench.say(messages)
    await eventually(lambda: len(bench.heard.submitted()) == 1_000)
    assert set(operator.taken.values()) == {1}
    assert {s.id for s in bench.heard.submitted()} == {m.id for m in messages}
    first = bench.heard.submitted()[0]
    operator.report(first.ref or "", first.number)
    await eventually(bench.heard.reports)
    [report] = bench.heard.reports()
    assert (report.message_id, report.ref, report.state, report.operator) == (first.id, first.ref, "delivered", "op0")
    await eventually(lambda: operator.report_answers == [0])


async def test_parts_go_one_by_one_with_one_reference(bench: Bench, operator: ScriptedOperator) -> None:
    await bench.dispatcher(operators_file(operator))
    await bench.say([an_accepted(text="é" * 200 + "€" * 100, parts=3)])
    await eventually(lambda: len(bench.heard.submitted()) == 3)
    headers = [submit.short_message[:6] for submit in operator.submits]
    assert [header[4:] for header in headers] == [b"\x03\x01", b"\x03\x02", b"\x03\x03"]
    assert len({header[:4] for header in headers}) == 1
    assert {submit.esm_class for submit in operator.submits} == {0x40}
    assert sorted(s.part for s in bench.heard.submitted()) == [1, 2, 3]


async def test_a_redelivery_is_never_submitted_again(bench: Bench, operator: ScriptedOperator) -> None:
    """The reservation was made, then the process died: held as ambiguous, or sent again where the account says so."""
    hold, resend, answered = an_accepted(), an_accepted(on_ambiguous="resend"), an_accepted(on_ambiguous="resend")
    journal = Journal(bench.mongo.database("dispatcher"))
    await journal.reserve([journal_key(message.id, 0) for message in (hold, resend, answered)], "op0", "another")
    await journal.settle([journal_key(answered.id, 0)])
    await bench.dispatcher(operators_file(operator))
    await bench.say([hold, resend, answered])
    await eventually(lambda: len(bench.heard.submitted("ambiguous")) == 3)
    assert {s.id for s in bench.heard.submitted("ambiguous")} == {hold.id, resend.id, answered.id}
    assert operator.submits == []  # not even `resend`: the broker did not say that it delivers again


class LosesAnswers(Journal):
    """The database did reserve, but the connection went before it could say so."""

    losing = True

    async def reserve(self, keys: Sequence[str], operator: str, token: str) -> set[Any]:
        taken = await super().reserve(keys, operator, token)
        if LosesAnswers.losing:
            LosesAnswers.losing = False
            raise AutoReconnect("connection closed")
        return taken


async def test_a_reservation_whose_answer_was_lost_is_used_once(bench: Bench, operator: ScriptedOperator) -> None:
    bench.journal = LosesAnswers
    LosesAnswers.losing = True
    await bench.dispatcher(operators_file(operator, window=50))  # one reservation for all
    messages = numbered(30)
    await bench.say(messages)
    await eventually(lambda: len(bench.heard.submitted()) == 30)
    assert not bench.heard.submitted("ambiguous")

    LosesAnswers.losing = True  # now for messages that were sent: said once more, and again no answer
    await bench.say(messages)
    await eventually(lambda: len(bench.heard.submitted("ambiguous")) == 30)
    assert set(operator.taken.values()) == {1}


async def test_what_is_delivered_again_while_it_is_being_sent_waits_for_the_same_end(
    bench: Bench, operator: ScriptedOperator, close_connections: Callable[[], Awaitable[None]]
) -> None:
    """The broker closes every connection while submits are under way: nothing is sent twice, nothing stays in doubt."""
    await bench.dispatcher(operators_file(operator, window=5, tps=100))
    await bench.say(numbered(300))
    await eventually(lambda: len(operator.submits) > 20)
    await close_connections()
    await eventually(lambda: len(operator.taken) == 300, within_s=30)
    assert set(operator.taken.values()) == {1}


class BusyClock(SystemClock):
    """A machine so busy that time goes on between one look at the clock and the next."""

    def monotonic_s(self) -> float:
        time.sleep(0.01)
        return super().monotonic_s()


async def test_a_busy_machine_never_leaves_messages_waiting(bench: Bench, operator: ScriptedOperator) -> None:
    await bench.dispatcher(operators_file(operator, window=5, tps=100), BusyClock())
    await bench.say(numbered(60))
    await eventually(lambda: len(operator.taken) == 60, within_s=15)


async def test_the_rate_does_not_wait_for_answers(bench: Bench, operator: ScriptedOperator) -> None:
    operator.delay_s = 0.4
    await bench.dispatcher(operators_file(operator, window=50, tps=100))
    await bench.say(numbered(150))
    await eventually(lambda: len(operator.submits) > 0)
    await eventually(lambda: len(operator.taken) == 150, within_s=8)


async def test_an_unanswered_submit_is_ambiguous_or_sent_again(bench: Bench, operator: ScriptedOperator) -> None:
    seen: set[str] = set()

    def first_time_never(message: ShortMessage) -> int | None:
        if message.dest_addr in seen:
            return 0
        seen.add(message.dest_addr)
        return None

    operator.answer = first_time_never
    await bench.dispatcher(operators_file(operator))
    hold, resend = an_accepted(number="33600000001"), an_accepted(number="33600000002", on_ambiguous="resend")
    await bench.say([hold, resend])
    await eventually(lambda: bench.heard.submitted("ambiguous") and bench.heard.submitted())
    assert [s.id for s in bench.heard.submitted("ambiguous")] == [hold.id]
    assert [s.id for s in bench.heard.submitted()] == [resend.id]
    assert operator.taken == {"33600000002": 1}


async def test_a_cut_link_loses_nothing_and_doubles_nothing(bench: Bench, operator: ScriptedOperator) -> None:
    count = 0

    def cut_at_100(message: ShortMessage) -> int | None:
        nonlocal count
        count += 1
        if count == 100:
            operator.cut()
        return 0

    operator.answer = cut_at_100
    await bench.dispatcher(operators_file(operator, binds=2))
    messages = numbered(400)
    await bench.say(messages)
    await eventually(lambda: len({s.id for s in bench.heard.records if isinstance(s, Submitted)}) == 400)
    assert max(operator.taken.values()) == 1
    ambiguous = {s.id for s in bench.heard.submitted("ambiguous")}
    assert ambiguous | {s.id for s in bench.heard.submitted()} == {m.id for m in messages}
    assert len(ambiguous) <= 40


async def test_throttling_slows_down_and_loses_nothing(bench: Bench, operator: ScriptedOperator) -> None:
    seen = 0

    def every_third(message: ShortMessage) -> int:
        nonlocal seen
        seen += 1
        return 0x58 if seen % 3 == 0 else 0

    operator.answer = every_third
    await bench.dispatcher(operators_file(operator, window=5))
    await bench.say(numbered(30))
    await eventually(lambda: len(bench.heard.submitted()) == 30, within_s=30)
    assert set(operator.taken.values()) == {1}
    assert not bench.heard.refused()


async def test_a_refusal_for_good_is_said_with_its_code(bench: Bench, operator: ScriptedOperator) -> None:
    operator.answer = lambda message: {"33600000000": 0x0B, "33600000001": 0x0A, "33600000002": 0x444}[
        message.dest_addr
    ]
    await bench.dispatcher(operators_file(operator))
    await bench.say(numbered(3))
    await eventually(lambda: len(bench.heard.refused()) == 3)
    codes = {refused.id: refused.code for refused in bench.heard.refused()}
    assert sorted(codes.values()) == ["number_refused", "operator_refused", "sender_refused"]


async def test_a_temporary_refusal_goes_to_the_next_operator(bench: Bench, operator: ScriptedOperator) -> None:
    other = ScriptedOperator()
    await other.start()
    operator.answer = lambda _: 0x08
    await bench.dispatcher(operators_file(operator, other))
    await bench.say(numbered(50))
    await eventually(lambda: len(bench.heard.submitted()) == 50)
    assert {s.operator for s in bench.heard.submitted()} == {"op1"}
    assert set(other.taken.values()) == {1}
    await other.stop()


async def test_only_the_parts_that_are_left_go_to_the_next_operator(bench: Bench, operator: ScriptedOperator) -> None:
    other = ScriptedOperator()
    await other.start()
    operator.answer = lambda message: 0 if message.short_message[5] == 1 else 0x08
    await bench.dispatcher(operators_file(operator, other))
    await bench.say([an_accepted(text="x" * 400, parts=3)])
    await eventually(lambda: len(bench.heard.submitted()) == 3)
    assert sorted((s.part, s.operator) for s in bench.heard.submitted()) == [(1, "op0"), (2, "op1"), (3, "op1")]
    references = {submit.short_message[3] for submit in (*operator.submits, *other.submits)}
    assert len(references) == 1
    await other.stop()


async def test_expired_and_unroutable_messages_are_refused(bench: Bench, operator: ScriptedOperator) -> None:
    await bench.dispatcher(operators_file(operator).replace('prefix = ""', 'prefix = "33"'))
    late, astray = an_accepted(expires_at=SystemClock().now_ms() - 1), an_accepted(number="447700900123")
    await bench.say([late, astray])
    await eventually(lambda: len(bench.heard.refused()) == 2)
    assert {refused.id: refused.code for refused in bench.heard.refused()} == {
        late.id: "expired",
        astray.id: "no_route",
    }
    assert operator.submits == []


async def test_urgent_overtakes_bulk(bench: Bench, operator: ScriptedOperator) -> None:
    await bench.dispatcher(operators_file(operator, window=5, tps=100))
    await bench.say(numbered(300))
    await eventually(lambda: len(operator.submits) > 20)
    before = len(operator.submits)
    await bench.say([an_accepted(number="33699999999", lane="urgent")])
    await eventually(lambda: operator.taken["33699999999"])
    place = [submit.dest_addr for submit in operator.submits].index("33699999999")
    assert place - before < 60


async def test_binds_hold_over_all_processes_and_move_when_one_leaves(bench: Bench, operator: ScriptedOperator) -> None:
    file = operators_file(operator, binds=4)
    one = await bench.dispatcher(file)
    await eventually(lambda: operator.binds == 4)
    most = 0
    await bench.dispatcher(file)

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, operator.binds)
            await asyncio.sleep(0.005)

    watching = asyncio.create_task(watch())
    await asyncio.sleep(5)
    assert operator.binds == 4
    await one.aclose()
    await eventually(lambda: operator.binds == 4)
    watching.cancel()
    assert most <= 4
    await bench.say(numbered(100))
    await eventually(lambda: len(bench.heard.submitted()) == 100)


async def test_stopping_hands_back_what_was_not_sent(bench: Bench, operator: ScriptedOperator) -> None:
    file = operators_file(operator, window=5, tps=50)
    one = await bench.dispatcher(file)
    messages = numbered(200)
    await bench.say(messages)
    await eventually(lambda: len(operator.submits) > 10)
    await one.aclose()
    assert len(operator.submits) < 200
    assert not bench.heard.submitted("ambiguous")
    await bench.dispatcher(operators_file(operator, window=50))
    await eventually(lambda: len(bench.heard.submitted()) == 200)
    assert set(operator.taken.values()) == {1}
    assert not bench.heard.submitted("ambiguous")


async def test_reports_are_acknowledged_only_when_durable(bench: Bench, operator: ScriptedOperator) -> None:
    """While the broker is away nothing is acknowledged; when it is back, everything is."""
    await bench.dispatcher(operators_file(operator))
    await eventually(lambda: operator.binds == 1)
    for place in range(50):
        operator.report(f"x{place}", "33612345678")
    await eventually(lambda: len(operator.report_answers) == 50)
    assert set(operator.report_answers) == {0}
    await eventually(lambda: len(bench.heard.reports()) == 50)
