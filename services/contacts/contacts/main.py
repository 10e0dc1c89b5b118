"""The one place where the contacts service is built and wired."""

import os
import socket

from carillon.bus.rabbit import RabbitBus
from carillon.copies import AccountCopy
from carillon.http.app import create_app
from carillon.http.problem import overloaded
from carillon.mongo import TEMPORARY_ERRORS, Mongo
from carillon.runtime.clock import SystemClock
from carillon.runtime.ids import new_id
from carillon.runtime.lifecycle import Part, Service
from carillon.runtime.number_hash import NumberHash
from contacts.settings import Settings
from contacts.suppressions.room import IMPORT_CAP_BYTES, IMPORT_PATH, suppression_room


def build(settings: Settings) -> Service:
    """Wire the service; nothing is connected before its parts are started."""
    process = f"{socket.gethostname()}:{os.getpid()}"
    mongo = Mongo(settings.mongo_url, prefix=settings.mongo_prefix, app="carillon-contacts")
    bus = RabbitBus(settings.amqp_url, name=f"contacts@{process}", temporary=TEMPORARY_ERRORS)
    accounts = AccountCopy(bus, mongo.database("contacts"), service="contacts", process=new_id("ctp"))
    suppressions = suppression_room(
        mongo.database("contacts"),
        bus,
        accounts,
        NumberHash(settings.number_hash_key),
        SystemClock(),
        bounces_to_suppress=settings.bounces_to_suppress,
    )
    parts: list[Part] = [mongo, bus, accounts, *suppressions.parts]
    app = create_app(
        "Carillon contacts",
        routers=[*suppressions.routers],
        health=bus.problems,
        body_caps={IMPORT_PATH: IMPORT_CAP_BYTES},
        translations=dict.fromkeys(TEMPORARY_ERRORS, lambda _error: overloaded(2)),
    )
    return Service("contacts", app, settings.contacts_port, parts, bus.problems)
