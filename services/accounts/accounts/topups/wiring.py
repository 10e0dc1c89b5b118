"""Top-ups as the service has them: the provider that the settings name, and what hangs on it."""

import secrets
from collections.abc import Awaitable, Callable

import structlog
from fastapi import APIRouter

from accounts.credit.ledger import Ledger
from accounts.domain.account import Account
from accounts.settings import Settings
from accounts.topups import api, checkout_page
from accounts.topups.embedded import EmbeddedProvider
from accounts.topups.handlers import OpenTopUp, TakePaymentEvent
from accounts.topups.port import PaymentProvider
from accounts.topups.store import TopUpStore
from accounts.topups.stripe_checkout import StripeCheckout
from carillon.mongo import Mongo
from carillon.runtime.background import Every
from carillon.runtime.clock import Clock
from carillon.runtime.lifecycle import Part

log = structlog.get_logger(__name__)

_SWEEP_S = 5.0


def topups_of(
    settings: Settings,
    mongo: Mongo,
    ledger: Ledger,
    clock: Clock,
    account_of_key: Callable[..., Awaitable[Account]],
) -> tuple[list[Part], list[APIRouter]]:
    """Parts and routes; without a provider the routes are there, and say so."""
    database = mongo.database("accounts")
    store = TopUpStore(mongo, database, ledger)
    parts: list[Part] = [store]
    routers: list[APIRouter] = []
    provider: PaymentProvider | None = None
    embedded: EmbeddedProvider | None = None
    if settings.stripe_key is not None and settings.stripe_webhook_secret is not None:
        provider = StripeCheckout(
            settings.stripe_key.get_secret_value(),
            settings.stripe_webhook_secret.get_secret_value(),
            public_url=settings.public_url,
            api_base=settings.stripe_api_base,
        )
    elif settings.test_payments:
        log.warning("topup.test_payments", detail="credit is given for test cards")
        # who signs is who verifies: a process tells its own webhook
        provider = embedded = EmbeddedProvider(database, secrets.token_bytes(32), public_url=settings.public_url)
    take = TakePaymentEvent(store, provider, clock)
    if provider is not None:
        parts.append(provider)
    if embedded is not None:
        embedded.deliver_to(take)
        parts.append(Every("events of the test provider", _SWEEP_S, embedded.sweep))
        routers.append(checkout_page.routes(embedded))
    routers += [
        api.own_routes(store, OpenTopUp(store, provider, settings.limits, clock), account_of_key),
        api.webhook_routes(take),
    ]
    return parts, routers
