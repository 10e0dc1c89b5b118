"""What goes wrong on demand."""

import asyncio

import pytest
from pydantic import ValidationError

from carillon.smpp import Status
from simulator.operator import Operator
from simulator.testing import Connect


async def test_the_nth_submit_closes_its_link_unanswered(bound: Connect, operator: Operator) -> None:
    operator.set_faults({"drop_after": 3})
    client, other = await bound(), await bound()
    outcomes = [await client.submit(f"3360000700{place}") for place in range(3)]
    assert [outcome.kind for outcome in outcomes] == ["answered", "answered", "lost"]
    assert (await other.submit("33600007004")).ok
    assert operator.books.counters.links_dropped == 1


async def test_all_links_drop_now(bound: Connect, operator: Operator) -> None:
    clients = [await bound() for _ in range(3)]
    assert operator.drop_links() == 3
    async with asyncio.timeout(3):
        await asyncio.gather(*(client.bind.wait_closed() for client in clients))
    assert operator.binds() == {"carillon": 0, "north": 0}


async def test_above_the_limit_is_throttled(bound: Connect, operator: Operator) -> None:
    operator.set_faults({"tps_limit": 50})
    client = await bound()
    outcomes = await asyncio.gather(*(client.submit(f"336{place + 7000:08d}") for place in range(40)))
    assert [outcome.status for outcome in outcomes][:5] == [0] * 5
    assert {outcome.status for outcome in outcomes} == {0, int(Status.THROTTLED)}
    counters = operator.books.counters
    assert counters.accepted + counters.throttled == 40
    assert 5 <= counters.accepted <= 10
    assert operator.books.peak.value == 40


@pytest.mark.parametrize(
    ("fault", "status"), [({"throttle_rate": 1}, Status.THROTTLED), ({"fail_rate": 1}, Status.SYSERR)]
)
async def test_all_are_refused(bound: Connect, operator: Operator, fault: dict[str, object], status: int) -> None:
    operator.set_faults(fault)
    client = await bound()
    assert (await client.submit("33612345678")).status == status


async def test_all_are_undelivered(bound: Connect, operator: Operator) -> None:
    operator.set_faults({"undelivered_rate": 1})
    client = await bound()
    await client.submit("33612345678")
    [delivery] = await client.deliveries(1)
    assert b"stat:UNDELIV err:034" in delivery.short_message


async def test_every_report_twice(bound: Connect, operator: Operator) -> None:
    operator.set_faults({"duplicate_reports": True})
    client = await bound()
    await client.submit("33612345678")
    await client.deliveries(2)


async def test_every_report_before_the_answer(bound: Connect, operator: Operator) -> None:
    operator.set_faults({"report_first": True})
    client = await bound()
    await client.submit("33612345678")
    assert client.events == ["delivery", "answer"]


async def test_unanswered_submits_are_counted(bound: Connect, operator: Operator) -> None:
    operator.set_faults({"answer_delay_s": 0.1})
    client = await bound()
    begun = asyncio.get_running_loop().time()
    await asyncio.gather(*(client.submit(f"336{place + 7000:08d}") for place in range(30)))
    assert asyncio.get_running_loop().time() - begun >= 0.1
    assert operator.books.counters.unanswered_max == 30


async def test_slow_answers_so_many_a_second(bound: Connect, operator: Operator) -> None:
    operator.set_faults({"slow": 100})
    client = await bound()
    begun = asyncio.get_running_loop().time()
    outcomes = await asyncio.gather(*(client.submit(f"336{place + 7000:08d}") for place in range(30)))
    assert asyncio.get_running_loop().time() - begun >= 0.29
    assert all(outcome.ok for outcome in outcomes)


async def test_what_was_submitted_before_counts_as_duplicate(bound: Connect, operator: Operator) -> None:
    client = await bound()
    parts = [bytes((5, 0, 3, 9, 2, place)) + b"part" for place in (1, 2)]
    for part in (*parts, parts[0]):
        await client.submit("33612345678", part, esm_class=0x40)
    await client.submit("33612345678", b"part")
    await client.submit("33612345679", b"part")
    await client.submit("33612345678", b"part", source_addr="Other")
    counters = operator.books.counters
    assert (counters.accepted, counters.duplicates, counters.unique) == (6, 1, 5)


async def test_stopping_answers_what_was_delayed(bound: Connect, operator: Operator) -> None:
    operator.set_faults({"answer_delay_s": 60})
    client = await bound()
    submit = asyncio.create_task(client.submit("33612345678"))
    async with asyncio.timeout(3):
        while not operator.books.counters.accepted:
            await asyncio.sleep(0.005)
        await operator.stop()
    assert (await submit).ok


@pytest.mark.parametrize("given", [{"throttle_rate": 2}, {"receipt_delay_s": -1}, {"unheard_of": 1}])
def test_faults_that_make_no_sense(operator: Operator, given: dict[str, object]) -> None:
    before = operator.faults
    with pytest.raises(ValidationError):
        operator.set_faults(given)
    assert operator.faults == before
