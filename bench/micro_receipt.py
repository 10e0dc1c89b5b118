"""CPU of the receipt service's recording, per message, with a real MongoDB and the broker left out.

    CARILLON_MONGO_URL=... python bench/micro_receipt.py [--messages 20000] [--mongod-pid PID]

Two flushes of 500 records at a time: accepted and submitted of 250 messages together (one insert), then the reports
of 500 (one insert). Decoding from and encoding for the bus are part of the figures; a broker's confirm is not.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from carillon.bus import Delivery, Queue, Subscription
from carillon.events.base import Lane, Record
from carillon.events.catalogue import MESSAGE_ACCEPTED, MESSAGE_SUBMITTED, REPORT_RECEIVED, Event
from carillon.events.codec import decode, encode
from carillon.events.message import Submitted
from carillon.events.report import ReportReceived
from carillon.mongo import Mongo, ensure_indexes
from carillon.runtime.clock import SystemClock
from carillon.runtime.garbage import calm
from carillon.runtime.ids import MessageIds
from carillon.testing.builders import an_accepted
from receipt.announcer import Announcer
from receipt.domain.news import Flush
from receipt.recorder import Recorder
from receipt.store import INDEXES, Stores

_BATCH = 500


class Sink:
    """A bus that encodes what it is given and forgets it."""

    def __init__(self) -> None:
        self.records = 0

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def publish(
        self,
        event: Event,
        records: Sequence[Record],
        *,
        lane: Lane | None = None,
        place: str | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> None:
        encode(records)
        self.records += len(records)

    async def append(self, stream: str, bodies: Sequence[bytes], *, content_type: str) -> None: ...

    async def declare(self, queue: Queue) -> None: ...

    async def subscribe(self, subscription: Subscription) -> None: ...

    async def unsubscribe(self, queue_name: str) -> None: ...

    def problems(self) -> dict[str, str]:
        return {}


class Meter:
    """CPU of this process and, when its pid is known, of mongod."""

    def __init__(self, mongod_pid: int | None) -> None:
        self._pid = mongod_pid
        self._own_s, self._mongod_s = time.process_time(), self._mongod()

    def us_per(self, count: int) -> tuple[float, float]:
        own_s, mongod_s = time.process_time() - self._own_s, self._mongod() - self._mongod_s
        return own_s / count * 1e6, mongod_s / count * 1e6

    def _mongod(self) -> float:
        if self._pid is None:
            return 0.0
        fields = Path(f"/proc/{self._pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(url: str, messages: int, mongod_pid: int | None, hints: bool) -> None:
    mongo = Mongo(url, prefix="bench_", app="bench", retry_writes=False)
    await mongo.start()
    await mongo.client.drop_database("bench_receipt")
    database = mongo.database("receipt")
    await ensure_indexes(database, INDEXES)
    sink = Sink()
    recorder = Recorder(Stores(database), Announcer(sink, SystemClock()))
    first, reports = bodies(messages, hints=hints)
    calm()
    total_own = total_mongod = 0.0
    for name, flushes in (("accepted + submitted", first), ("reports", reports)):
        meter = Meter(mongod_pid)
        for flush_bodies in flushes:
            flush = Flush()
            for event, body in flush_bodies:
                flush.take(Delivery(event, decode(event.record, body)).records)
            unmatched = await recorder.record(flush)
            assert not unmatched
        await asyncio.sleep(0.5)
        own, mongod = meter.us_per(messages)
        total_own, total_mongod = total_own + own, total_mongod + mongod
        print(f"{name:22} {own:6.1f} us own   {mongod:6.1f} us mongod")
    assert sink.records == messages * 3
    print(f"{'both, a message':22} {total_own:6.1f} us own   {total_mongod:6.1f} us mongod")
    await mongo.client.drop_database("bench_receipt")
    await mongo.stop()


def bodies(messages: int, *, hints: bool) -> tuple[list[list[tuple[Event, bytes]]], list[list[tuple[Event, bytes]]]]:
    """What the broker would deliver, flush by flush."""
    ids = MessageIds(1, SystemClock())
    now_ms = SystemClock().now_ms()
    first: list[list[tuple[Event, bytes]]] = []
    reports: list[list[tuple[Event, bytes]]] = []
    for at in range(0, messages, _BATCH // 2):
        accepted = [
            an_accepted(
                id=ids.next(), number=f"336{at + n:08d}", accepted_at=now_ms, door="demo", price_micros=70_000,
                campaign="cmp_01hzy3v7q2" if at % 2 else None,
            )
            for n in range(_BATCH // 2)
        ]  # fmt: skip
        submitted = [
            Submitted(
                id=one.id, account=one.account, operator="north", ref=f"ref-{one.id}", number=one.number, at=now_ms + 9
            )
            for one in accepted
        ]
        first.append([(MESSAGE_ACCEPTED, encode(accepted)), (MESSAGE_SUBMITTED, encode(submitted))])
        said = [
            ReportReceived(
                operator="north", ref=f"ref-{one.id}", state="delivered", number=one.number, at=now_ms + 2_000,
                message_id=one.id if hints else None,
            )
            for one in accepted
        ]  # fmt: skip
        if len(reports) * _BATCH > at:
            reports[-1].append((REPORT_RECEIVED, encode(said)))
        else:
            reports.append([(REPORT_RECEIVED, encode(said))])
    return first, reports


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--mongod-pid", type=int)
    options = parser.parse_args()
    url = os.environ.get("CARILLON_MONGO_URL", "mongodb://127.0.0.1:27017/?replicaSet=rs0&w=majority")
    for hints in (True, False):
        print("reports with a hint" if hints else "reports by operator's id")
        asyncio.run(measure(url, options.messages, options.mongod_pid, hints))


if __name__ == "__main__":
    main()
