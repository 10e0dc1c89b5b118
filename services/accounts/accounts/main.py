"""The one place where the accounts service is built and wired."""

import os
import socket

from accounts import admin_api, countries, own_api
from accounts.consumers import subscriptions
from accounts.countries import HoldDestinations
from accounts.credit import api as credit_api
from accounts.credit.handlers import EndExpiredLeases, LendCredit, SettleCharges
from accounts.credit.ledger import Ledger
from accounts.credit.low_balance import WatchLowBalances
from accounts.handlers import ChangeAccount, SayAll, SayPending
from accounts.prices import api as prices_api
from accounts.prices.handlers import ChangePrices, SayAllPrices, SayPendingPrices
from accounts.prices.store import PriceStore
from accounts.problems import TRANSLATIONS
from accounts.settings import Settings
from accounts.store import AccountStore
from accounts.topups.wiring import topups_of
from carillon.bus.rabbit import RabbitBus
from carillon.bus.subscribed import Subscribed
from carillon.http.app import create_app
from carillon.mongo import TEMPORARY_ERRORS, Mongo
from carillon.runtime.background import Every
from carillon.runtime.clock import SystemClock
from carillon.runtime.lifecycle import Part, Service

_SWEEP_S = 2.0
_LEASES_S = 15.0
_LOW_BALANCES_S = 60.0


def build(settings: Settings) -> Service:
    """Wire the service; nothing is connected before its parts are started."""
    clock = SystemClock()
    mongo = Mongo(settings.mongo_url, prefix=settings.mongo_prefix, app="carillon-accounts")
    store = AccountStore(mongo.database("accounts"))
    bus = RabbitBus(
        settings.amqp_url, name=f"accounts@{socket.gethostname()}:{os.getpid()}", temporary=TEMPORARY_ERRORS
    )
    change = ChangeAccount(store, bus, clock)
    price_store = PriceStore(mongo.database("accounts"))
    ledger = Ledger(mongo, mongo.database("accounts"))
    change_prices = ChangePrices(price_store, bus, clock)
    topup_parts, topup_routers = topups_of(settings, mongo, ledger, clock, own_api.account_of_key(store, clock))
    parts: list[Part] = [
        mongo,
        store,
        price_store,
        ledger,
        *topup_parts,
        bus,
        Subscribed(
            bus,
            subscriptions(
                SayAll(store, bus),
                SayAllPrices(price_store, bus),
                LendCredit(ledger, store, bus, clock),
                SettleCharges(ledger, clock),
                HoldDestinations(change),
            ),
        ),
        Every("pending account changes", _SWEEP_S, SayPending(store, bus).sweep),
        Every("leases of processes that are gone", _LEASES_S, EndExpiredLeases(ledger, bus, clock).sweep),
        Every("low balances", _LOW_BALANCES_S, WatchLowBalances(mongo.database("accounts")).sweep),
        Every("pending price changes", _SWEEP_S, SayPendingPrices(price_store, bus).sweep),
    ]
    token = settings.admin_token.get_secret_value() if settings.admin_token else ""
    app = create_app(
        "Carillon accounts",
        routers=[
            admin_api.routes(store, change, clock, token),
            own_api.routes(store, clock),
            countries.own_routes(change, own_api.account_of_key(store, clock)),
            countries.admin_routes(change, token),
            prices_api.admin_routes(price_store, change_prices, clock, token),
            credit_api.admin_routes(ledger, store, clock, token),
            credit_api.own_routes(ledger, own_api.account_of_key(store, clock), clock),
            prices_api.own_routes(price_store, own_api.account_of_key(store, clock), clock),
            *topup_routers,
        ],
        health=bus.problems,
        translations=TRANSLATIONS,
    )
    return Service("accounts", app, settings.accounts_port, parts, bus.problems)
