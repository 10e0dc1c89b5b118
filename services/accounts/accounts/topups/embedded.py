"""The embedded test provider: it opens checkouts on a page of its own, takes test cards, and tells its webhook.

Its events are signed and are told until they are taken, as a real provider's are: each is durable, with the change of
the checkout that it tells of, before it is said. No money is behind it, so a platform that serves clients must not
have it: it is there only when CARILLON_TEST_PAYMENTS says so and no Stripe key is set.
"""

import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

import msgspec
import structlog
from msgspec import Struct
from pymongo.errors import DuplicateKeyError

from accounts.topups.payment import EventKind, PaymentEvent
from accounts.topups.port import SignatureError
from accounts.topups.topup import Checkout, TopUp
from carillon.mongo import Database, Document, Index, ensure_indexes

log = structlog.get_logger(__name__)

SIGNATURE = "carillon-test-signature"
PATH = "/test-checkout"
INDEXES = {"test_checkouts": (Index(("unsaid",), where={"unsaid.0": {"$exists": True}}),)}

_TOLERANCE_S = 300

State = Literal["open", "confirm", "paid", "cancelled"]
Deliver = Callable[[str, bytes, Mapping[str, str]], Awaitable[None]]


class PageCheckout(Struct, frozen=True, kw_only=True):
    """One checkout. `declined` counts cards that were refused; amounts in micro-units."""

    id: str
    payer: str
    amount: int
    currency: str
    return_url: str | None = None
    state: State = "open"
    declined: int = 0
    refunded: bool = False
    dispute: Literal["open", "won"] | None = None

    @property
    def payment(self) -> str:
        """The payment's id, once it is paid."""
        return "tpi_" + self.id


class EmbeddedProvider:
    """A part and a `PaymentProvider`."""

    name = "test"

    def __init__(self, database: Database, secret: bytes, *, public_url: str) -> None:
        self._database = database
        self._checkouts = database["test_checkouts"]
        self._secret = secret
        self._public_url = public_url
        self._deliver: Deliver | None = None

    def deliver_to(self, webhook: Deliver) -> None:
        """Where its events go: (provider's name, body, headers), as the webhook's path takes them."""
        self._deliver = webhook

    async def start(self) -> None:
        """Make the index that is missing."""
        await ensure_indexes(self._database, INDEXES)

    async def stop(self) -> None:
        """Nothing to let go."""

    async def open(self, topup: TopUp) -> Checkout:
        """A page of our own."""
        document: Document = {
            "_id": topup.id,
            "payer": topup.account_name or topup.account,
            "amount": topup.amount,
            "currency": topup.currency,
            "return_url": topup.return_url,
            "state": "open",
            "declined": 0,
        }
        try:
            await self._checkouts.insert_one(document)
        except DuplicateKeyError:
            pass  # asked again: the page is there
        return Checkout(topup.id, f"{self._public_url}{PATH}/{topup.id}")

    def read(self, body: bytes, headers: Mapping[str, str]) -> PaymentEvent | None:
        """Verified by the secret that this platform shares with itself."""
        fields = dict(part.partition("=")[::2] for part in headers.get(SIGNATURE, "").split(","))
        at, given = fields.get("t", ""), fields.get("v1", "")
        if not at.isdecimal() or not hmac.compare_digest(given, self._digest(at, body)):
            raise SignatureError("the event is not signed by the test provider")
        if abs(time.time() - int(at)) > _TOLERANCE_S:
            raise SignatureError("the event was signed long ago")
        return msgspec.json.decode(body, type=PaymentEvent)

    def sign(self, body: bytes, at_s: int) -> dict[str, str]:
        """The header that goes with an event."""
        return {SIGNATURE: f"t={at_s},v1={self._digest(str(at_s), body)}"}

    def _digest(self, at: str, body: bytes) -> str:
        return hmac.new(self._secret, at.encode() + b"." + body, hashlib.sha256).hexdigest()

    # -- what its page does -----------------------------------------------------------------------------------

    async def find(self, checkout: str) -> PageCheckout | None:
        """The checkout of that id."""
        document = await self._checkouts.find_one({"_id": checkout})
        return None if document is None else msgspec.convert({**document, "id": document["_id"]}, PageCheckout)

    async def decline(self, checkout: PageCheckout) -> None:
        """The bank said no: another card may be tried."""
        await self._checkouts.update_one(
            {"_id": checkout.id, "state": {"$in": ["open", "confirm"]}},
            {"$set": {"state": "open"}, "$inc": {"declined": 1}},
        )

    async def ask_to_confirm(self, checkout: PageCheckout) -> None:
        """The bank wants to hear it from the card's holder (3-D Secure)."""
        await self._change(checkout, {"state": "open"}, {"state": "confirm"}, None)

    async def pay(self, checkout: PageCheckout) -> None:
        """The card is charged, once."""
        wanted = {"state": {"$in": ["open", "confirm"]}}
        await self._change(checkout, wanted, {"state": "paid"}, _event("paid", checkout))

    async def cancel(self, checkout: PageCheckout) -> None:
        """The payer went away; the checkout is over."""
        event = PaymentEvent(kind="expired", topup=checkout.id)
        await self._change(checkout, {"state": {"$in": ["open", "confirm"]}}, {"state": "cancelled"}, event)

    async def refund(self, checkout: PageCheckout) -> None:
        """All of it goes back to the card."""
        wanted = {"state": "paid", "refunded": {"$ne": True}}
        await self._change(checkout, wanted, {"refunded": True}, _event("refunded", checkout))

    async def open_dispute(self, checkout: PageCheckout) -> None:
        """The card's holder does not know of it."""
        wanted = {"state": "paid", "dispute": None}
        await self._change(checkout, wanted, {"dispute": "open"}, _event("disputed", checkout))

    async def win_dispute(self, checkout: PageCheckout) -> None:
        """The bank came to see that it was right."""
        wanted = {"dispute": "open"}
        await self._change(checkout, wanted, {"dispute": "won"}, _event("dispute_won", checkout))

    async def _change(
        self, checkout: PageCheckout, wanted: Document, values: Document, event: PaymentEvent | None
    ) -> None:
        change: Document = {"$set": values}
        if event is not None:
            change["$push"] = {"unsaid": msgspec.json.encode(event)}
        changed = await self._checkouts.update_one({"_id": checkout.id, **wanted}, change)
        if changed.matched_count:
            await self.say(checkout.id)

    async def sweep(self) -> None:
        """Tell what was not taken yet: a process died, or the database was away."""
        async for document in self._checkouts.find({"unsaid.0": {"$exists": True}}, {"_id": 1}).limit(100):
            await self.say(document["_id"])

    async def say(self, checkout: str) -> None:
        """Tell the events of a checkout, oldest first; what fails stays and is told again."""
        document = await self._checkouts.find_one({"_id": checkout}, {"unsaid": 1})
        for body in (document or {}).get("unsaid", ()):
            assert self._deliver is not None
            await self._deliver(self.name, bytes(body), self.sign(bytes(body), int(time.time())))
            await self._checkouts.update_one({"_id": checkout}, {"$pull": {"unsaid": body}})


def _event(kind: EventKind, checkout: PageCheckout) -> PaymentEvent:
    return PaymentEvent(
        kind=kind,
        payment=checkout.payment,
        topup=checkout.id,
        micros=checkout.amount,
        currency=checkout.currency,
        dispute=f"tdp_{checkout.id}" if kind in ("disputed", "dispute_won") else None,
    )
