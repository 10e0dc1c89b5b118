"""The one place where the dispatcher is built and wired."""

import os
import socket

from carillon.bus.rabbit import RabbitBus
from carillon.bus.subscribed import Subscribed
from carillon.copies import SuppressionCopy
from carillon.http.app import create_app
from carillon.mongo import TEMPORARY_ERRORS, Leases, Mongo, NodeLease
from carillon.runtime.background import Every
from carillon.runtime.clock import SystemClock
from carillon.runtime.ids import new_id
from carillon.runtime.lifecycle import Part, Service
from carillon.runtime.number_hash import NumberHash
from dispatcher.api import routes
from dispatcher.consumers import route_subscriptions
from dispatcher.desk import Desk, Tools
from dispatcher.handlers import RouteMessages
from dispatcher.inbox import OperatorInbox
from dispatcher.operators_file import OperatorsFileWatch, load
from dispatcher.outbox import Outbox
from dispatcher.settings import Settings
from dispatcher.settlement import Recent
from dispatcher.store import Journal

_BIND_LEASE_S = 10.0
_CLEAN_S = 3_600.0


def build(settings: Settings) -> Service:
    """Wire the service; nothing is connected before its parts are started. Raises `OperatorsFileError`."""
    file = load(settings.operators_file)
    clock = SystemClock()
    process = new_id("dsp")
    mongo = Mongo(settings.mongo_url, prefix=settings.mongo_prefix, app="carillon-dispatcher")
    database = mongo.database("dispatcher")
    bus = RabbitBus(
        settings.amqp_url, name=f"dispatcher@{socket.gethostname()}:{os.getpid()}", temporary=TEMPORARY_ERRORS
    )
    ids = NodeLease(mongo.database("carillon"), process, clock)
    suppressed = SuppressionCopy(
        bus, database, NumberHash(settings.number_hash_key), service="dispatcher", process=process
    )
    journal = Journal(database)
    outbox = Outbox(bus)
    recent = Recent()
    inbox = OperatorInbox(outbox, recent, ids.next)
    tools = Tools(
        bus=bus,
        outbox=outbox,
        journal=journal,
        leases=Leases(database["leases"], process, _BIND_LEASE_S),
        recent=recent,
        inbox=inbox,
        suppressed=suppressed,
        clock=clock,
        process=process,
        grace_s=settings.grace_s,
    )
    desk = Desk(file, tools)
    route = RouteMessages(desk.operators_for, bus, clock)

    async def forget_old_reservations() -> None:
        await journal.forget_before(clock.now_ms())

    parts: list[Part] = [
        mongo,
        ids,
        bus,
        outbox,
        suppressed,
        desk,
        Subscribed(bus, route_subscriptions(route)),
        OperatorsFileWatch(settings.operators_file, file, desk.change),
        Every("journal", _CLEAN_S, forget_old_reservations),
    ]
    app = create_app("Carillon dispatcher", routers=[routes(desk.operator, inbox, clock)], health=bus.problems)
    return Service("dispatcher", app, settings.dispatcher_port, parts, bus.problems)
