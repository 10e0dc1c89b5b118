"""What contacts cost: an import, a search and a campaign's pages, with a real MongoDB and the broker left out.

    CARILLON_MONGO_URL=... python -m bench.contacts [--contacts 1000000] [--rows 100000] [--mongod-pid PID] [--keep]

First `--contacts` contacts are put into one account; then `--rows` new ones are imported from a CSV, as the service
does
it, with the CPU of this process (and, when its pid is known, of mongod) and the memory at its peak; then searches and
pages are timed among all of them. `--keep` leaves the database for the next run, which then adds only what is missing.
"""

import argparse
import asyncio
import os
import random
import resource
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import uvloop

from bench.micro_receipt import Meter
from carillon.events.account import AccountChanged
from carillon.events.audience import Audience
from carillon.mongo import Leases, Mongo
from carillon.runtime.clock import SystemClock
from carillon.runtime.ids import new_id
from carillon.testing.builders import an_account
from contacts.audience.pages import Pages
from contacts.book import Book
from contacts.domain.contact import Contact
from contacts.imports.decide import Decide
from contacts.imports.upload import Options, Uploads
from contacts.imports.work import Work
from contacts.imports.worker import ImportWorker
from contacts.store import Stores

_BATCH = 2_000
_SEARCHES = 200
_FIRST = ("Anne", "Éloïse", "Jean-Luc", "Maïté", "Noël", "Zoé", "Karim", "Françoise", "Søren", "Inès", "Léa", "Hugo")
_LAST = ("Martin", "Dupont", "Lefèvre", "Nguyễn", "Garcia", "Müller", "Benoît", "Leroy", "Côté", "Okafor", "Petit")


def name_of(number: int) -> str:
    return f"{_FIRST[number % len(_FIRST)]} {_LAST[number // 7 % len(_LAST)]}{chr(97 + number % 26)}{number % 9973}"


def number_of(number: int) -> str:
    return f"336{10_000_000 + number:08d}"


async def fill(stores: Stores, count: int) -> None:
    there = await stores.database["contacts"].estimated_document_count()
    groups = list((await stores.groups.ensure("acc_1", [f"Group {n}" for n in range(10)], None, 0)).values())
    for at in range(there, count, _BATCH):
        batch = [
            Contact(
                id=new_id("ctc"), account="acc_1", number=number_of(n), name=name_of(n), created_at=0, changed_at=0,
                groups=(groups[n % 10],), attributes={"city": _LAST[n % 11]},
            )
            for n in range(at, min(at + _BATCH, count))
        ]  # fmt: skip
        await stores.contacts.insert_new(batch)
    print(f"{count:,} contacts in one account")


def csv_of(first: int, rows: int) -> bytes:
    lines = [f"{number_of(n)};{name_of(n)};Imported {n % 5}" for n in range(first, first + rows)]
    return "\r\n".join(lines).encode("cp1252", "replace")


async def nobody(_account: str, _numbers: Sequence[str]) -> dict[str, str]:
    return {}


async def run_import(stores: Stores, data: bytes, mongod_pid: int | None) -> None:
    clock = SystemClock()
    meter = Meter(mongod_pid)
    began_s = time.monotonic()

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(data), 65_536):
            yield data[at : at + 65_536]

    import_, _ = await Uploads(stores, clock).receive("acc_1", Options(file_name="bench.csv"), None, pieces())
    worker = ImportWorker(
        stores, Work(stores, Decide(stores, nobody, clock), clock), Leases(stores.database["leases"], "bench", 20)
    )
    await worker.start()
    while True:
        kept = await stores.imports.find("acc_1", import_.id)
        assert kept is not None
        if kept.import_.state in ("finished", "failed"):
            break
        await asyncio.sleep(0.2)
    await worker.stop()
    counts = kept.import_.counts
    own_us, mongod_us = meter.us_per(1)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"import of {counts.rows:,} rows: {own_us / 1e6:.1f} CPU-s own, {mongod_us / 1e6:.1f} CPU-s mongod, "
        f"{time.monotonic() - began_s:.1f} s; created {counts.created:,}, updated {counts.updated:,}, "
        f"refused {counts.refused:,}; peak memory {memory:.0f} MiB"
    )


async def timed(name: str, calls: Sequence[Awaitable[object]]) -> None:
    taken = []
    for call in calls:
        began_s = time.perf_counter()
        await call
        taken.append((time.perf_counter() - began_s) * 1e3)
    taken.sort()
    print(f"{name:38} p50 {statistics.median(taken):6.1f} ms   p99 {taken[int(len(taken) * 0.99)]:6.1f} ms")


async def searches(stores: Stores, count: int, account: AccountChanged) -> None:
    book = Book(stores, nobody, SystemClock())
    chance = random.Random(1)
    numbers = [chance.randrange(count) for _ in range(_SEARCHES)]
    searched: list[tuple[str, Callable[[int], str]]] = [
        ("3 digits", lambda n: number_of(n)[:3]),
        ("5 digits", lambda n: number_of(n)[:5]),
        ("8 digits", lambda n: number_of(n)[:8]),
        ("11 digits", number_of),
        ("1 letter", lambda n: name_of(n).split()[1][:1]),
        ("2 letters", lambda n: name_of(n).split()[1][:2]),
        ("4 letters", lambda n: name_of(n).split()[1][:4]),
        ("8 letters", lambda n: name_of(n).split()[1][:8]),
        ("two words", lambda n: name_of(n)[:12]),
    ]
    for name, prefix_of in searched:
        await timed(f"search by {name}", [book.search(account, prefix_of(n), 20) for n in numbers])
    pages = Pages(stores, nobody)
    groups = [group.id for group in await stores.groups.page("acc_1", "Group", "", 10)]
    for name, audience in (
        ("page of 500 of everyone", Audience(everyone=True)),
        ("page of 500 of ten groups", Audience(groups=groups)),
        ("page of 500, a group less another", Audience(groups=groups[:1], minus_groups=groups[1:2])),
        ("page of 500 by attribute", Audience(attributes={"city": "Martin"})),
    ):
        await timed(name, [pages.page("acc_1", audience, number_of(n), 500) for n in numbers[:50]])


async def measure(url: str, contacts: int, rows: int, mongod_pid: int | None, keep: bool) -> None:
    mongo = Mongo(url, prefix="bench_", app="bench")
    await mongo.start()
    stores = Stores(mongo.database("contacts"))
    await stores.start()
    await fill(stores, contacts)
    await run_import(stores, csv_of(20_000_000, rows), mongod_pid)
    await searches(stores, contacts, an_account())
    if not keep:
        await mongo.client.drop_database("bench_contacts")
    await mongo.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=1_000_000)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--mongod-pid", type=int)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    url = os.environ.get("CARILLON_MONGO_URL", "mongodb://127.0.0.1:27017/?replicaSet=rs0&w=majority")
    uvloop.run(measure(url, options.contacts, options.rows, options.mongod_pid, options.keep))


if __name__ == "__main__":
    main()
