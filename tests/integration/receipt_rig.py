"""What the receipt service's integration tests share: the service's inside on a real MongoDB, and a client's server."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from carillon.bus import BusDownError, Delivery
from carillon.copies import AccountCopy
from carillon.events.account import AccountChanged
from carillon.events.base import Lane, Record
from carillon.events.catalogue import ACCOUNT_CHANGED, CATALOGUE, MESSAGE_STATUS, Event
from carillon.events.message import StatusChanged
from carillon.mongo import Leases, Mongo, ensure_indexes
from carillon.runtime.clock import Clock, SystemClock
from carillon.testing.bus import MemoryBus
from receipt.announcer import Announcer
from receipt.callbacks.backlog import Backlog
from receipt.callbacks.client import Connector
from receipt.callbacks.handler import MakeCallbacks
from receipt.callbacks.lanes import Lanes
from receipt.callbacks.settler import Settler
from receipt.handlers import RecordMessages
from receipt.recorder import Recorder
from receipt.store import INDEXES, Stores
from receipt.sweepers.lost import LostSweeper
from receipt.sweepers.unmatched import UnmatchedSweeper

_EVENT_OF: dict[type[Record], Event] = {event.record: event for event in CATALOGUE}


def delivery_of(*records: Record) -> Delivery:
    """Records of one event, as the bus hands them over."""
    return Delivery(_EVENT_OF[type(records[0])], list(records))


class FlakyBus(MemoryBus):
    """A broker that can be away: what is published then is lost, and the publisher is told."""

    is_away = False

    async def publish(
        self,
        event: Event,
        records: Sequence[Record],
        *,
        lane: Lane | None = None,
        place: str | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> None:
        """Raise while away."""
        if self.is_away:
            raise BusDownError("away")
        await super().publish(event, records, lane=lane, place=place, headers=headers)


@dataclass
class Process:
    """One receipt process without its broker: what it says goes into a bus in memory."""

    stores: Stores
    bus: FlakyBus
    clock: Clock
    accounts: AccountCopy
    record: RecordMessages
    unmatched: UnmatchedSweeper
    lost: LostSweeper
    callbacks: MakeCallbacks
    backlog: Backlog
    lanes: Lanes

    def said(self, message_id: int) -> list[str]:
        """Statuses of a message, in the order in which they were said."""
        return [
            record.status
            for record in self.bus.records(MESSAGE_STATUS)
            if isinstance(record, StatusChanged) and record.id == message_id
        ]

    async def add_account(self, account: AccountChanged) -> None:
        """Make an account known to this process."""
        await self.bus.publish(ACCOUNT_CHANGED, [account])
        while self.accounts.by_id(account.id) is not account and not self._has(account):
            await asyncio.sleep(0.005)

    def _has(self, account: AccountChanged) -> bool:
        known = self.accounts.by_id(account.id)
        return known is not None and known.version >= account.version


@asynccontextmanager
async def receipt_process(
    mongo_url: str, prefix: str, *, clock: Clock | None = None, name: str = "rcp_1", limit_s: float = 1.0
) -> AsyncIterator[Process]:
    """Several of them on one database are several processes of the service."""
    clock = clock or SystemClock()
    mongo = Mongo(mongo_url, prefix=prefix, retry_writes=False)
    database = mongo.database("receipt")
    await ensure_indexes(database, INDEXES)
    stores = Stores(database)
    bus = FlakyBus()
    accounts = AccountCopy(bus, database, service="receipt", process=name)
    announcer = Announcer(bus, clock)
    recorder = Recorder(stores, announcer)
    leases = Leases(database["leases"], name, 60.0)
    lost = LostSweeper(stores, announcer, accounts, leases, clock)
    lanes = Lanes(accounts, Connector(allow_private=True), clock)
    settler = Settler(stores, clock)
    process = Process(
        stores=stores,
        bus=bus,
        clock=clock,
        accounts=accounts,
        record=RecordMessages(recorder, stores.unmatched, lost, clock),
        unmatched=UnmatchedSweeper(stores, recorder, clock),
        lost=lost,
        callbacks=MakeCallbacks(stores, lanes, settler, clock, limit_s=limit_s),
        backlog=Backlog(stores, lanes, leases, clock),
        lanes=lanes,
    )
    await accounts.start()
    yield process
    await process.backlog.stop()
    await settler.stop()
    await lanes.stop()
    await accounts.stop()
    await bus.stop()
    await mongo.stop()


@dataclass
class Client:
    """A client's HTTP server. `answer` gives the status for a request's text; `hold` delays every answer."""

    url: str = ""
    requests: list[str] = field(default_factory=list)
    connections: int = 0
    answer: Callable[[str], str] = lambda _request: "200 OK"
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    close_after_each: bool = False

    def received(self, message_id: int) -> list[str]:
        """The legacy words of a message, in the order in which they came."""
        return [
            request.split("Status=")[1].split(" ")[0].replace("%20", " ")
            for request in self.requests
            if f"msgid={message_id}&" in request
        ]


@asynccontextmanager
async def client_server() -> AsyncIterator[Client]:
    """Serve until the block ends."""
    client = Client()
    client.hold.set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(
                    (
                        int(line.split(":")[1])
                        for line in head.lower().splitlines()
                        if line.startswith("content-length:")
                    ),
                    0,
                )
                request = head + (await reader.readexactly(length)).decode()
                client.requests.append(request)
                await client.hold.wait()
                writer.write(f"HTTP/1.1 {client.answer(request)}\r\nContent-Length: 2\r\n\r\nok".encode())
                if client.close_after_each:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    client.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/receipts"
    yield client
    client.hold.set()
    server.close()
