"""What measuring and tracing cost a message: `python -m bench.micro_telemetry`. In microseconds of CPU."""

import contextvars
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from pymongo.monitoring import CommandStartedEvent, CommandSucceededEvent

from carillon.events.message import StatusChanged
from carillon.mongo.measure import Measure
from carillon.telemetry import metrics, names, traces
from carillon.telemetry.export import start_export
from receipt.announcer import _measure

ROUNDS = 20_000
BATCH = 20  # messages in a batch of ingest and dispatcher under load


def cost_us(work: Callable[[], object], per: int = 1) -> float:
    """The best of five: everything worse was the machine."""

    def once() -> float:
        began_s = time.thread_time()
        for _ in range(ROUNDS):
            work()
        return time.thread_time() - began_s

    return min(once() for _ in range(5)) / ROUNDS / per * 1e6


def consume(records: Sequence[StatusChanged], headers: dict[str, str]) -> None:
    """As `bus.consumer` does around a handler."""
    record = records[0]
    metrics.record_queue_age("queue", max(time.time() - record.at / 1000, 0.0))
    with traces.span(
        names.STATUS_RECORD,
        links=(record.trace for record in records),
        causes=traces.causes_of(each for each in (headers,)),
        attributes={names.QUEUE: "queue"},
        kind="consumer",
    ):
        pass
    metrics.record_consumed("queue", len(records), 0.01)


def mongo_command(measure: Measure) -> None:
    """What the driver does for a listener, and the listener."""
    address = ("127.0.0.1", 27017)
    measure.started(CommandStartedEvent({"insert": "x"}, "receipt", 1, address, 1, None, 1))
    measure.succeeded(CommandSucceededEvent(timedelta(milliseconds=2), {"ok": 1}, "insert", 1, address, 1))


def main() -> None:
    now_ms = time.time_ns() // 1_000_000
    change = StatusChanged(
        id=1, account="acc_x", status="delivered", at=now_ms, number="33612345678", lane="urgent", operator="north",
        accepted_at=now_ms - 900,
    )  # fmt: skip
    batch = [change] * BATCH
    said = [(change, "FR")] * BATCH
    measure = Measure("receipt")
    lines = {
        "a batch consumed, tracing off": cost_us(lambda: consume(batch, {}), BATCH),
        "an urgent status measured": cost_us(lambda: _measure(said), BATCH),
        "a span per published batch, tracing off": cost_us(
            lambda: traces.span(names.MESSAGE_SETTLE, links=(one.trace for one in batch)), BATCH
        ),
        "a line's round": cost_us(lambda: metrics.set_line("north", 10, 5), BATCH),
        "a context for each commit": cost_us(contextvars.Context, BATCH),
        "a MongoDB command": cost_us(lambda: mongo_command(measure), BATCH),
    }
    stop = start_export("bench", None, None, 0.01)
    lines["a batch consumed, tracing on, none sampled"] = cost_us(lambda: consume(batch, {}), BATCH)
    lines["a call's span, not sampled"] = cost_us(lambda: traces.begin(names.CALLBACK_CALL, change.trace))
    stop()
    for name, microseconds in lines.items():
        print(f"{microseconds:8.3f} us a message   {name}")


if __name__ == "__main__":
    main()
