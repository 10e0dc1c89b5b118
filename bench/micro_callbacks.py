"""CPU of the receipt service's callbacks, per call, against bench/sink.py, with a real MongoDB for the log.

    CARILLON_MONGO_URL=... python bench/micro_callbacks.py [--calls 20000] [--form query]

Decoding the status records and the log of what was told are part of the figure; the sink runs in its own process.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import uvloop

from carillon.bus import Delivery
from carillon.copies import AccountCopy
from carillon.events.account import Callback
from carillon.events.catalogue import ACCOUNT_CHANGED, MESSAGE_STATUS
from carillon.events.codec import decode, encode
from carillon.events.message import CallbackForm, StatusChanged
from carillon.mongo import Mongo
from carillon.runtime.clock import SystemClock
from carillon.runtime.garbage import calm
from carillon.runtime.ids import MessageIds
from carillon.testing.builders import an_account
from carillon.testing.bus import MemoryBus
from receipt.callbacks.client import Connector
from receipt.callbacks.handler import MakeCallbacks
from receipt.callbacks.lanes import Lanes
from receipt.callbacks.settler import Settler
from receipt.store import Stores

_BATCH = 250
_AT_ONCE = 4


async def measure(mongo_url: str, url: str, form: CallbackForm, calls: int) -> None:
    clock = SystemClock()
    mongo = Mongo(mongo_url, prefix="bench_", app="bench", retry_writes=False)
    await mongo.start()
    await mongo.client.drop_database("bench_receipt")
    stores = Stores(mongo.database("receipt"))
    await stores.start()
    bus = MemoryBus()
    accounts = AccountCopy(bus, stores.database, service="receipt", process="bench")
    await accounts.start()
    await bus.publish(ACCOUNT_CHANGED, [an_account(callback=Callback(url=url, form=form))])
    lanes = Lanes(accounts, Connector(allow_private=True), clock)
    handler = MakeCallbacks(stores, lanes, Settler(stores, clock), clock)
    while accounts.by_id("acc_1") is None:
        await asyncio.sleep(0.01)
    ids, now_ms = MessageIds(1, clock), clock.now_ms()
    bodies = [
        encode(
            [
                StatusChanged(
                    id=ids.next(), account="acc_1", status="delivered", at=now_ms, number="33612345678", lane="bulk",
                    sender="Carillon", operator="north", accepted_at=now_ms, door="demo",
                )
                for _ in range(_BATCH)
            ]
        )
        for _ in range(calls // _BATCH)
    ]  # fmt: skip
    calm()
    queue = iter(bodies)

    async def work() -> None:
        for body in queue:
            await handler([Delivery(MESSAGE_STATUS, decode(StatusChanged, body))])

    before, wall_s = os.times(), time.monotonic()
    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
    after, wall_s = os.times(), time.monotonic() - wall_s
    user_us, kernel_us = ((after[n] - before[n]) / calls * 1e6 for n in (0, 1))
    left = await stores.callbacks.count_pending()
    spent = f"{user_us:5.1f} us + {kernel_us:5.1f} us in the kernel a receipt"
    print(f"{form:10}  {spent}   {calls / wall_s:7.0f}/s   {left} left in the backlog")
    await lanes.stop()
    await accounts.stop()
    await bus.stop()
    await mongo.client.drop_database("bench_receipt")
    await mongo.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--port", type=int, default=27_765)
    options = parser.parse_args()
    sink = subprocess.Popen([sys.executable, str(Path(__file__).with_name("sink.py")), str(options.port)])
    time.sleep(1)
    mongo_url = os.environ.get("CARILLON_MONGO_URL", "mongodb://127.0.0.1:27017/?replicaSet=rs0&w=majority")
    forms: tuple[CallbackForm, ...] = ("query", "xml", "json", "json-batch")
    try:
        for form in forms:
            uvloop.run(measure(mongo_url, f"http://127.0.0.1:{options.port}/", form, options.calls))
    finally:
        sink.terminate()


if __name__ == "__main__":
    main()
