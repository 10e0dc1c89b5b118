"""The one place where the campaign-scheduler service is built and wired."""

import os
import socket

from campaign_scheduler import campaigns_api, messages_api, templates_api
from campaign_scheduler.changes import ChangeCampaigns
from campaign_scheduler.consumers import subscriptions
from campaign_scheduler.deferred import KeepDeferred, Releases
from campaign_scheduler.expansion import TakePages
from campaign_scheduler.paying import Cashier, Pricer
from campaign_scheduler.problems import TRANSLATIONS
from campaign_scheduler.progress_stream import ProgressStream
from campaign_scheduler.quoting import Quoting
from campaign_scheduler.requests import PageRequests
from campaign_scheduler.runner import Runner
from campaign_scheduler.runners import Runners
from campaign_scheduler.settings import Settings
from campaign_scheduler.statuses import RecordStatuses
from campaign_scheduler.store import Stores
from campaign_scheduler.sweeps import Sweeps
from carillon.bus.rabbit import RabbitBus
from carillon.bus.subscribed import Subscribed
from carillon.copies import AccountCopy, PriceCopy
from carillon.credit import Purse
from carillon.http.app import create_app
from carillon.mongo import TEMPORARY_ERRORS, Leases, Mongo, NodeLease
from carillon.runtime.background import Every
from carillon.runtime.clock import SystemClock
from carillon.runtime.ids import new_id
from carillon.runtime.lifecycle import Part, Service

_LEASE_S = 15.0
_DUE_S = 0.5
_FINISH_S = 0.5
_RELEASE_S = 0.25
_LEFT_S = 2.0
_QUOTES_S = 2.0


def build(settings: Settings) -> Service:
    """Wire the service; nothing is connected before its parts are started."""
    clock = SystemClock()
    process = new_id("csp")
    mongo = Mongo(settings.mongo_url, prefix=settings.mongo_prefix, app="carillon-campaign-scheduler")
    stores = Stores(mongo.database("campaign_scheduler"))
    name = f"campaign-scheduler@{socket.gethostname()}:{os.getpid()}"
    bus = RabbitBus(settings.amqp_url, name=name, temporary=TEMPORARY_ERRORS)
    ids = NodeLease(mongo.database("carillon"), process, clock)
    accounts = AccountCopy(bus, stores.database, service="campaign-scheduler", process=process)
    prices = PriceCopy(bus, stores.database, service="campaign-scheduler", process=process)
    purse = Purse(bus, service="campaign-scheduler", process=process, clock=clock)
    pricer, cashier = Pricer(accounts, prices, clock), Cashier(accounts, purse)

    requests = PageRequests(stores.pages, bus, clock)
    leases = Leases(stores.database["leases"], process, _LEASE_S)

    def may_send(account_id: str) -> bool:
        account = accounts.by_id(account_id)
        return account is not None and account.state == "active"

    runners = Runners(stores.campaigns, Runner(stores, requests, cashier, bus, leases, clock, may_send), clock)
    quoting = Quoting(stores, pricer, bus, clock)
    releases = Releases(stores.deferred, cashier, bus, process, clock)
    sweeps = Sweeps(stores, quoting, runners, clock)
    change = ChangeCampaigns(
        stores, quoting, pricer, cashier, runners, bus, ids, clock, stop_mention=settings.stop_mention
    )

    parts: list[Part] = [
        mongo,
        stores,
        ids,
        bus,
        accounts,
        prices,
        purse,
        runners,
        Subscribed(
            bus,
            subscriptions(
                TakePages(stores, quoting, pricer, requests, ids, clock, runners.wake),
                KeepDeferred(stores.deferred),
                RecordStatuses(stores.pages, runners.wake),
            ),
        ),
        Every("due campaigns", _DUE_S, sweeps.start_due),
        Every("campaigns to finish", _FINISH_S, sweeps.finish),
        Every("due messages", _RELEASE_S, releases.sweep),
        Every("messages to pay", _RELEASE_S, releases.sweep_unpaid),
        Every("messages left", _LEFT_S, releases.sweep_left),
        Every("quotes left", _QUOTES_S, quoting.ask_again),
    ]
    app = create_app(
        "Carillon campaign-scheduler",
        routers=[
            templates_api.routes(stores.templates, quoting, pricer, accounts, clock),
            campaigns_api.routes(stores, change, ProgressStream(stores), accounts, clock),
            messages_api.routes(releases, accounts, clock),
        ],
        health=bus.problems,
        translations=TRANSLATIONS,
    )
    return Service("campaign-scheduler", app, settings.campaign_scheduler_port, parts, bus.problems)
