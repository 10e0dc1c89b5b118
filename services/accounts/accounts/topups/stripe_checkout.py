"""Stripe Checkout as a payment provider: https://docs.stripe.com/api/checkout/sessions and /webhooks/signature.

The amounts of Stripe are counted in a currency's smallest unit. Events come repeated and in any order.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
import stripe
import structlog
from msgspec import Struct

from accounts.topups.money import unit_micros
from accounts.topups.payment import EventKind, PaymentEvent
from accounts.topups.port import PaymentUnavailableError, SignatureError
from accounts.topups.topup import Checkout, TopUp

log = structlog.get_logger(__name__)

_TIMEOUT_S = 20.0


class _Object(Struct, frozen=True):
    """The fields of a session, a charge or a dispute that count here."""

    id: str = ""
    payment_intent: str | None = None
    payment_status: str = ""
    amount: int = 0
    amount_total: int | None = None
    amount_refunded: int = 0
    currency: str | None = ""
    status: str | None = ""
    metadata: dict[str, str] | None = None


class _Data(Struct, frozen=True):
    object: _Object


class _Event(Struct, frozen=True):
    type: str
    data: _Data


class StripeCheckout:
    """A part and a `PaymentProvider`. `api_base` is Stripe's own address but in tests."""

    name = "stripe"

    def __init__(self, key: str, webhook_secret: str, *, public_url: str, api_base: str) -> None:
        self._key = key
        self._secret = webhook_secret
        self._public_url = public_url
        self._api_base = api_base
        self._http: stripe.AIOHTTPClient | None = None
        self._client: stripe.StripeClient | None = None

    async def start(self) -> None:
        """The client's session is of the running loop."""
        self._http = stripe.AIOHTTPClient(timeout=_TIMEOUT_S)
        self._client = stripe.StripeClient(
            self._key, base_addresses={"api": self._api_base}, http_client=self._http, max_network_retries=2
        )

    async def stop(self) -> None:
        """Close its connections."""
        if self._http is not None:
            await self._http.close_async()  # type: ignore[no-untyped-call]

    async def open(self, topup: TopUp) -> Checkout:
        """A session; Stripe gives the same one for the same top-up (its idempotency key)."""
        assert self._client is not None
        metadata = {"carillon_topup": topup.id, "carillon_account": topup.account}
        back = topup.return_url or self._public_url
        price = {
            "currency": topup.currency.lower(),
            "unit_amount": topup.amount // unit_micros(topup.currency),
            "product_data": {"name": f"Carillon credit, {topup.account_name or topup.account}"},
        }
        params: Any = {
            "mode": "payment",
            "line_items": [{"price_data": price, "quantity": 1}],
            "client_reference_id": topup.id,
            "metadata": metadata,
            "payment_intent_data": {"metadata": metadata},  # so that refunds name the top-up too
            "success_url": back,
            "cancel_url": back,
        }
        try:
            session = await self._client.v1.checkout.sessions.create_async(params, {"idempotency_key": topup.id})
        except stripe.StripeError as error:
            log.warning("topup.stripe_failed", topup=topup.id, error=type(error).__name__, status=error.http_status)
            raise PaymentUnavailableError("Stripe did not open a checkout") from error
        if not session.url:
            raise PaymentUnavailableError("Stripe opened a checkout without a page")
        return Checkout(session.id, session.url)

    def read(self, body: bytes, headers: Mapping[str, str]) -> PaymentEvent | None:
        """Verified by Stripe's library, its time included (five minutes)."""
        try:
            stripe.Webhook.construct_event(body, headers.get("stripe-signature"), self._secret)
            event = msgspec.json.decode(body, type=_Event)
        except (stripe.SignatureVerificationError, UnicodeDecodeError) as error:
            raise SignatureError("the event is not signed by Stripe") from error
        except (ValueError, KeyError, AttributeError) as error:  # signed, and of an object that is none of these
            log.info("topup.stripe_event_ignored", error=type(error).__name__)
            return None
        return _read(event.type, event.data.object)


def _read(name: str, said: _Object) -> PaymentEvent | None:
    if name in ("checkout.session.completed", "checkout.session.async_payment_succeeded"):
        if said.payment_status != "paid":
            return None
        return _event("paid", said, said.amount_total or 0)
    if name == "checkout.session.expired":
        return _event("expired", said, 0)
    if name == "checkout.session.async_payment_failed":
        return _event("failed", said, 0)
    if name == "charge.refunded":
        return _event("refunded", said, said.amount_refunded)
    if name in ("charge.dispute.created", "charge.dispute.funds_withdrawn"):
        return _event("disputed", said, said.amount, dispute=said.id)
    if name == "charge.dispute.closed" and said.status == "won":
        return _event("dispute_won", said, 0, dispute=said.id)
    return None


def _event(kind: EventKind, said: _Object, units: int, *, dispute: str | None = None) -> PaymentEvent | None:
    currency = (said.currency or "").upper()
    topup = (said.metadata or {}).get("carillon_topup")
    if said.payment_intent is None and kind not in ("expired", "failed"):
        return None
    return PaymentEvent(
        kind=kind,
        payment=said.payment_intent,
        topup=topup,
        micros=units * unit_micros(currency),
        currency=currency,
        dispute=dispute,
    )
