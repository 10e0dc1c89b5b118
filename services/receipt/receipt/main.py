"""The one place where receipt is built and wired."""

import os
import socket

from carillon.bus.rabbit import RabbitBus
from carillon.bus.subscribed import Subscribed
from carillon.copies import AccountCopy
from carillon.mongo import TEMPORARY_ERRORS, Leases, Mongo
from carillon.receipts.reader import ReceiptReader
from carillon.runtime.background import Every
from carillon.runtime.clock import SystemClock
from carillon.runtime.ids import new_id
from carillon.runtime.lifecycle import Part, Service
from receipt import api
from receipt.announcer import Announcer
from receipt.attribution import Attribution
from receipt.callbacks.backlog import Backlog
from receipt.callbacks.client import Connector
from receipt.callbacks.handler import MakeCallbacks
from receipt.callbacks.lanes import Lanes
from receipt.callbacks.settler import Settler
from receipt.consumers import subscriptions
from receipt.domain.stream import ShowNumber, clear_number, hashed_number, no_number
from receipt.exports import Exports
from receipt.handlers import KeepInbound, RecordMessages
from receipt.queries import Queries
from receipt.recorder import Recorder
from receipt.replays import Replays
from receipt.settings import Settings
from receipt.sse import ReceiptStream
from receipt.stats import Stats
from receipt.store import Stores
from receipt.sweepers.lost import LostSweeper
from receipt.sweepers.retention import RetentionSweeper
from receipt.sweepers.stats import StatsSweeper
from receipt.sweepers.unmatched import UnmatchedSweeper

_LEASE_S = 60.0
_UNMATCHED_S = 1.0
_BACKLOG_S = 1.0
_LOST_S = 10.0
_STATS_S = 1.0
_RETENTION_S = 3_600.0


def build(settings: Settings) -> Service:
    """Wire the service; nothing is connected before its parts are started."""
    clock = SystemClock()
    process = new_id("rcp")
    name = f"receipt@{socket.gethostname()}:{os.getpid()}"
    mongo = Mongo(settings.mongo_url, prefix=settings.mongo_prefix, app="carillon-receipt", retry_writes=False)
    stores = Stores(mongo.database("receipt"))
    bus = RabbitBus(settings.amqp_url, name=name, temporary=TEMPORARY_ERRORS)
    accounts = AccountCopy(bus, stores.database, service="receipt", process=process)
    leases = Leases(stores.database["leases"], process, _LEASE_S)

    announcer = Announcer(bus, clock, _numbers(settings))
    recorder = Recorder(stores, announcer)
    unmatched = UnmatchedSweeper(stores, recorder, clock)
    lost = LostSweeper(stores, announcer, accounts, leases, clock)
    counting = StatsSweeper(stores, leases)
    retention = RetentionSweeper(stores, settings.message_retention_days, clock)

    lanes = Lanes(accounts, Connector(allow_private=settings.callback_allow_private), clock)
    settler = Settler(stores, clock)
    backlog = Backlog(stores, lanes, leases, clock)

    queries = Queries(stores)
    replays = Replays(stores, queries, lanes, clock)
    reader = ReceiptReader(settings.amqp_url, name=f"{name} stream")
    stream, exports, stats = ReceiptStream(reader), Exports(reader), Stats(stores.stats)
    app = api.application(queries, replays, stream, exports, stats, accounts, clock, health=bus.problems)

    parts: list[Part] = [
        mongo,
        stores,
        bus,
        accounts,
        settler,
        lanes,
        backlog,
        Subscribed(
            bus,
            subscriptions(
                RecordMessages(recorder, stores.unmatched, lost, clock),
                MakeCallbacks(stores, lanes, settler, clock),
                KeepInbound(stores.inbound, Attribution(stores.messages, accounts.all, bus)),
            ),
        ),
        Every("unmatched reports", _UNMATCHED_S, unmatched.sweep),
        Every("callback backlog", _BACKLOG_S, backlog.sweep),
        Every("lost messages", _LOST_S, lost.sweep),
        Every("statistics", _STATS_S, counting.sweep),
        Every("retention", _RETENTION_S, retention.sweep),
    ]
    return Service("receipt", app, settings.receipt_port, parts, bus.problems)


def _numbers(settings: Settings) -> ShowNumber:
    if settings.stream_numbers_key is not None and settings.stream_numbers == "hash":
        return hashed_number(settings.stream_numbers_key.get_secret_value().encode())
    return clear_number if settings.stream_numbers == "clear" else no_number
