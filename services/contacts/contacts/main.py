"""The one place where the contacts service is built and wired."""

import os
import socket

from carillon.bus.rabbit import RabbitBus
from carillon.bus.subscribed import Subscribed
from carillon.copies import AccountCopy
from carillon.http.app import create_app
from carillon.http.idempotency import Idempotency
from carillon.mongo import TEMPORARY_ERRORS, Leases, Mongo
from carillon.runtime.background import Every
from carillon.runtime.clock import SystemClock
from carillon.runtime.ids import new_id
from carillon.runtime.lifecycle import Part, Service
from carillon.runtime.number_hash import NumberHash
from contacts import contacts_api, groups_api, imports_api
from contacts.audience.pages import Pages
from contacts.book import Book
from contacts.consumers import subscriptions
from contacts.handlers import AnswerAudience
from contacts.imports.decide import Decide
from contacts.imports.desk import Desk
from contacts.imports.forget import ForgetRows
from contacts.imports.upload import Uploads
from contacts.imports.work import Work
from contacts.imports.worker import ImportWorker
from contacts.posting import Posting
from contacts.problems import TRANSLATIONS
from contacts.settings import Settings
from contacts.store import Stores
from contacts.suppressions.room import IMPORT_CAP_BYTES, IMPORT_PATH, suppression_room

_LEASE_S = 10.0
_UPLOADS_S = 600.0
_GROUPS_S = 2.0


def build(settings: Settings) -> Service:
    """Wire the service; nothing is connected before its parts are started."""
    clock = SystemClock()
    name = new_id("ctp")
    process = f"{socket.gethostname()}:{os.getpid()}"
    mongo = Mongo(settings.mongo_url, prefix=settings.mongo_prefix, app="carillon-contacts")
    stores = Stores(mongo.database("contacts"))
    bus = RabbitBus(settings.amqp_url, name=f"contacts@{process}", temporary=TEMPORARY_ERRORS)
    accounts = AccountCopy(bus, stores.database, service="contacts", process=name)
    suppressions = suppression_room(
        stores.database,
        bus,
        accounts,
        NumberHash(settings.number_hash_key),
        clock,
        bounces_to_suppress=settings.bounces_to_suppress,
        others=[ForgetRows(stores)],
    )
    reasons = suppressions.suppressed.reasons

    pages = Pages(stores, reasons)
    book = Book(stores, reasons, clock)
    uploads = Uploads(stores, clock)
    worker = ImportWorker(
        stores, Work(stores, Decide(stores, reasons, clock), clock), Leases(stores.database["leases"], name, _LEASE_S)
    )
    posting = Posting(Idempotency(stores.keys, clock), clock)

    parts: list[Part] = [
        mongo,
        stores,
        bus,
        accounts,
        *suppressions.parts,
        worker,
        Every("uploads that broke off", _UPLOADS_S, uploads.sweep),
        Every("deleted groups", _GROUPS_S, book.empty_deleted_groups),
        Subscribed(bus, subscriptions(AnswerAudience(pages, bus))),
    ]
    app = create_app(
        "Carillon contacts",
        routers=[
            *suppressions.routers,
            contacts_api.routes(stores, book, pages, reasons, posting, accounts, clock),
            groups_api.routes(stores, book, posting, accounts, clock),
            imports_api.routes(stores, Desk(stores, clock), uploads, accounts, clock),
        ],
        health=bus.problems,
        body_caps={IMPORT_PATH: IMPORT_CAP_BYTES, "/v1/imports": settings.upload_max_bytes},
        translations=TRANSLATIONS,
    )
    return Service("contacts", app, settings.contacts_port, parts, bus.problems)
