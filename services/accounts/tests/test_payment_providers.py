"""What every payment provider does: Stripe Checkout against a local server in Stripe's place, and the embedded one."""

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest
from aiohttp import web

from accounts.topups.embedded import EmbeddedProvider
from accounts.topups.payment import EventKind, PaymentEvent
from accounts.topups.port import PaymentProvider, PaymentUnavailableError, SignatureError
from accounts.topups.stripe_checkout import StripeCheckout
from accounts.topups.topup import TopUp
from carillon.mongo import Mongo

pytestmark = pytest.mark.integration

SECRET = "whsec_test"
TOPUP = TopUp(
    id="top_1", account="acc_1", account_name="Shop & Co", amount=25_000_000, currency="EUR", provider="x",
    created_at=1, changed_at=1,
)  # fmt: skip
EVENT = PaymentEvent(kind="paid", payment="pay_1", topup="top_1", micros=25_000_000, currency="EUR")


class StripeServer:
    """`POST /v1/checkout/sessions` as Stripe's API answers it, idempotency keys included."""

    def __init__(self) -> None:
        self.sessions: dict[str, dict[str, str]] = {}
        self.failing = 0
        self.url = ""

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/v1/checkout/sessions", self._create)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _create(self, request: web.Request) -> web.Response:
        if self.failing:
            return web.json_response({"error": {"type": "api_error", "message": "down"}}, status=self.failing)
        assert request.headers["Authorization"] == "Bearer sk_test_x"
        form = dict(parse_qsl(await request.text()))
        key = request.headers["Idempotency-Key"]
        assert self.sessions.setdefault(key, form) == form
        id_ = f"cs_test_{list(self.sessions).index(key)}"
        answer = {"id": id_, "object": "checkout.session", "url": f"https://checkout.stripe.com/c/pay/{id_}"}
        return web.json_response(answer)


class Sides:
    """A provider, and the hand that signs its events."""

    def __init__(self, provider: PaymentProvider, server: StripeServer) -> None:
        self.provider = provider
        self.server = server

    def signed(self, body: bytes, at_s: float | None = None) -> dict[str, str]:
        at = int(time.time() if at_s is None else at_s)
        if isinstance(self.provider, EmbeddedProvider):
            return self.provider.sign(body, at)
        digest = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        return {"stripe-signature": f"t={at},v1={digest}"}

    def body(self, event: PaymentEvent) -> bytes:
        """The event in the provider's own form."""
        if isinstance(self.provider, EmbeddedProvider):
            return msgspec.json.encode(event)
        return json.dumps(stripe_event(event)).encode()

    def read(self, event: PaymentEvent) -> PaymentEvent | None:
        body = self.body(event)
        return self.provider.read(body, self.signed(body))


STRIPE_NAMES: dict[EventKind, str] = {
    "paid": "checkout.session.completed", "refunded": "charge.refunded", "disputed": "charge.dispute.created",
    "dispute_won": "charge.dispute.closed", "expired": "checkout.session.expired",
    "failed": "checkout.session.async_payment_failed",
}  # fmt: skip


def stripe_event(event: PaymentEvent) -> dict[str, Any]:
    """As https://docs.stripe.com/api/events/types shows them, shortened."""
    units = event.micros // 10_000 if event.currency != "JPY" else event.micros // 1_000_000
    said: dict[str, Any] = {"currency": event.currency.lower() or None, "payment_intent": event.payment}
    metadata = {"carillon_topup": event.topup} if event.topup else {}
    if event.kind in ("paid", "expired", "failed"):
        status = "paid" if event.kind == "paid" else "unpaid"
        said |= {"id": "cs_1", "object": "checkout.session", "payment_status": status, "metadata": metadata}
        said |= {"amount_total": units, "client_reference_id": event.topup, "customer_details": {"email": None}}
    elif event.kind == "refunded":
        said |= {"id": "ch_1", "object": "charge", "amount": 9_999, "amount_refunded": units, "metadata": metadata}
    else:
        status = "won" if event.kind == "dispute_won" else "needs_response"
        said |= {"id": event.dispute, "object": "dispute", "amount": units, "status": status, "metadata": {}}
    return {
        "id": "evt_1", "object": "event", "api_version": "2026-01-28", "created": 1, "livemode": False,
        "type": STRIPE_NAMES[event.kind], "data": {"object": said},
    }  # fmt: skip


@pytest.fixture(params=["stripe", "test"])
async def sides(request: pytest.FixtureRequest, mongo_url: str, mongo_prefix: str) -> AsyncIterator[Sides]:
    mongo, server = Mongo(mongo_url, prefix=mongo_prefix), StripeServer()
    await mongo.start()
    await server.start()
    provider: PaymentProvider
    if request.param == "stripe":
        provider = StripeCheckout("sk_test_x", SECRET, public_url="https://sms.example.com", api_base=server.url)
    else:
        provider = EmbeddedProvider(mongo.database("accounts"), b"secret", public_url="https://sms.example.com")
    await provider.start()
    yield Sides(provider, server)
    await provider.stop()
    await server.stop()
    await mongo.stop()


async def test_the_same_top_up_has_the_same_checkout(sides: Sides) -> None:
    first = await sides.provider.open(TOPUP)
    assert await sides.provider.open(TOPUP) == first
    other = await sides.provider.open(msgspec.structs.replace(TOPUP, id="top_2"))
    assert other.id != first.id
    assert first.url.startswith("https://")


@pytest.mark.parametrize(
    "event",
    [
        EVENT,
        msgspec.structs.replace(EVENT, kind="refunded", micros=10_000),
        msgspec.structs.replace(EVENT, currency="JPY", micros=500_000_000),
        PaymentEvent(kind="disputed", payment="pay_1", micros=25_000_000, currency="EUR", dispute="dp_1"),
        PaymentEvent(kind="dispute_won", payment="pay_1", currency="EUR", dispute="dp_1"),
        PaymentEvent(kind="expired", topup="top_1", currency="EUR"),
        PaymentEvent(kind="failed", topup="top_1", currency="EUR"),
    ],
    ids=lambda event: f"{event.kind} {event.currency}",
)
async def test_every_event_is_understood(sides: Sides, event: PaymentEvent) -> None:
    assert sides.read(event) == event


async def test_what_is_not_signed_is_refused(sides: Sides) -> None:
    body = sides.body(EVENT)
    good = sides.signed(body)
    [(name, value)] = good.items()
    forgeries: list[tuple[bytes, dict[str, str]]] = [
        (body, {}),
        (body, {name: ""}),
        (body, {name: "t=1,v1=00"}),
        (body, {name: value[:-1] + ("0" if value[-1] != "0" else "1")}),
        (body.replace(b"pay_1", b"pay_2"), good),
        (b"\xff" + body, good),
        (body, sides.signed(body, time.time() - 3_600)),
    ]
    assert sides.provider.read(body, good) == EVENT
    for forged, headers in forgeries:
        with pytest.raises(SignatureError):
            sides.provider.read(forged, headers)


async def test_stripe_is_asked_for_the_right_amount_in_its_units(sides: Sides) -> None:
    if sides.provider.name != "stripe":
        await sides.provider.open(TOPUP)
        assert sides.server.sessions == {}
        return
    await sides.provider.open(TOPUP)
    await sides.provider.open(
        msgspec.structs.replace(TOPUP, id="top_2", currency="JPY", amount=500_000_000, return_url="https://a.example/b")
    )
    euros, yen = sides.server.sessions["top_1"], sides.server.sessions["top_2"]
    assert (euros["line_items[0][price_data][currency]"], yen["line_items[0][price_data][currency]"]) == ("eur", "jpy")
    assert euros["line_items[0][price_data][unit_amount]"] == "2500"
    assert yen["line_items[0][price_data][unit_amount]"] == "500"
    assert euros["payment_intent_data[metadata][carillon_topup]"] == "top_1"
    assert (euros["success_url"], yen["success_url"]) == ("https://sms.example.com", "https://a.example/b")


@pytest.mark.parametrize("sides", ["stripe"], indirect=True)
async def test_stripes_other_events_mean_nothing_and_its_outage_is_no_refusal(sides: Sides) -> None:
    event = stripe_event(EVENT)
    unpaid = {**event, "data": {"object": {**event["data"]["object"], "payment_status": "unpaid"}}}
    lost = stripe_event(PaymentEvent(kind="dispute_won", payment="pay_1", currency="EUR", dispute="dp_1"))
    lost["data"]["object"]["status"] = "lost"
    for other in (unpaid, lost, {**event, "type": "customer.created"}, {**event, "data": {"object": {"id": 7}}}):
        body = json.dumps(other).encode()
        assert sides.provider.read(body, sides.signed(body)) is None
    sides.server.failing = 400
    with pytest.raises(PaymentUnavailableError):
        await sides.provider.open(TOPUP)
