"""The one place where ingest is built and wired."""

import os
import socket

from carillon.bus.rabbit import RabbitBus
from carillon.copies import AccountCopy, PriceCopy, SuppressionCopy
from carillon.credit import Purse
from carillon.http.front import Front
from carillon.http.idempotency import Idempotency
from carillon.http.passwords import PasswordVerifier
from carillon.mongo import TEMPORARY_ERRORS, Mongo, NodeLease
from carillon.runtime.clock import SystemClock
from carillon.runtime.ids import new_id
from carillon.runtime.lifecycle import Part, Service
from carillon.runtime.number_hash import NumberHash
from ingest import api
from ingest.acceptance import Acceptance
from ingest.doors.json_door import JsonDoor
from ingest.doors.legacy import LegacyDoor
from ingest.limits import Limits
from ingest.settings import Settings
from ingest.store.day_quotas import DayQuotas
from ingest.store.keys import Keys
from ingest.store.refs import Refs
from ingest.till import Till


def build(settings: Settings) -> Service:
    """Wire the service; nothing is connected before its parts are started."""
    clock = SystemClock()
    process = new_id("ing")
    mongo = Mongo(settings.mongo_url, prefix=settings.mongo_prefix, app="carillon-ingest")
    database = mongo.database("ingest")
    bus = RabbitBus(
        settings.amqp_url,
        name=f"ingest@{socket.gethostname()}:{os.getpid()}",
        temporary=TEMPORARY_ERRORS,
        publish_timeout_s=settings.publish_timeout_s,
    )
    ids = NodeLease(mongo.database("carillon"), process, clock)
    accounts = AccountCopy(bus, database, service="ingest", process=process)
    prices = PriceCopy(bus, database, service="ingest", process=process)
    purse = Purse(bus, service="ingest", process=process, clock=clock)
    days = DayQuotas(database)
    limits = Limits(bus, days, clock, processes=settings.ingest_processes)
    till = Till(prices, purse, limits)
    suppressed = SuppressionCopy(bus, database, NumberHash(settings.number_hash_key), service="ingest", process=process)
    refs = Refs(database, clock, max_waiting=settings.ingest_max_waiting)
    keys = Keys(database)
    acceptance = Acceptance(bus, max_waiting=settings.ingest_max_waiting)
    legacy = LegacyDoor(
        accounts,
        PasswordVerifier(clock),
        acceptance,
        till,
        refs,
        ids,
        clock,
        suppressed=suppressed,
        trusted_proxies=settings.proxies,
    )
    door = JsonDoor(acceptance, till, Idempotency(keys, clock), ids, clock, suppressed=suppressed)
    app = api.application(door, legacy, accounts, limits, clock, health=bus.problems)
    parts: list[Part] = [
        mongo, refs, keys, ids, bus, accounts, suppressed, prices, purse, days, limits, acceptance,
    ]  # fmt: skip
    if not settings.targets:
        return Service("ingest", app, settings.ingest_port, parts, bus.problems)
    front = Front({"ingest": app, **settings.targets}, trusted_proxies=settings.proxies)
    return Service("ingest", front, settings.front_port, [*parts, front], bus.problems)
