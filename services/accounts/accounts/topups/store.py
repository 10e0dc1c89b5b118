"""Top-ups and payments in MongoDB. A payment's document, the entries of the book and its top-up change together.

topups     one an attempt to pay        payments   one a provider's payment: what is known, what is booked of it
"""

from typing import Final

import msgspec
import structlog
from pymongo.errors import DuplicateKeyError

from accounts.credit.entry import Entry
from accounts.credit.ledger import CurrencyError, Ledger
from accounts.topups.payment import Payment, PaymentEvent, bookings, merged
from accounts.topups.topup import Checkout, TopUp
from carillon.mongo import Database, Document, Index, Mongo, Session, ensure_indexes

log = structlog.get_logger(__name__)

INDEXES: Final = {
    "topups": (Index(("account", "created_at", "_id")),),
    # an index makes its collection: none can be made inside of a transaction
    "payments": (Index(("topup",)),),
}


class TopUpStore:
    """A part."""

    def __init__(self, mongo: Mongo, database: Database, ledger: Ledger) -> None:
        self._mongo = mongo
        self._database = database
        self._topups = database["topups"]
        self._payments = database["payments"]
        self._ledger = ledger

    async def start(self) -> None:
        """Make the indexes that are missing."""
        await ensure_indexes(self._database, INDEXES)

    async def stop(self) -> None:
        """Nothing to let go."""

    async def add(self, topup: TopUp) -> TopUp | None:
        """Store it and return None, or return the one of this id that is there."""
        try:
            await self._topups.insert_one(_document(topup))
        except DuplicateKeyError:
            return _topup(await self._topups.find_one({"_id": topup.id}))
        return None

    async def opened(self, topup: str, checkout: Checkout) -> None:
        """Its checkout page is there."""
        await self._topups.update_one({"_id": topup}, {"$set": {"checkout": msgspec.to_builtins(checkout)}})

    async def find(self, account: str, topup: str) -> TopUp | None:
        """One of this account's."""
        return _topup(await self._topups.find_one({"_id": topup, "account": account}))

    async def page(self, account: str, *, after: tuple[int, str] | None, limit: int) -> list[TopUp]:
        """The account's, newest first."""
        wanted: Document = {"account": account}
        if after:
            at, id_ = after
            wanted["$or"] = [{"created_at": {"$lt": at}}, {"created_at": at, "_id": {"$lt": id_}}]
        cursor = self._topups.find(wanted).sort([("created_at", -1), ("_id", -1)]).limit(limit)
        return [found async for document in cursor if (found := _topup(document))]

    async def end(self, topup: str, how: str, at: int) -> None:
        """It was not paid; when it is paid after all, that counts."""
        await self._topups.update_one(
            {"_id": topup, "ended": None}, {"$set": {"ended": how, "changed_at": at}}
        )  # fmt: skip

    async def take(self, payment_id: str, event: PaymentEvent, at: int) -> list[str]:
        """Learn an event, and book what it changes: keys of the entries made. Said again it makes none.

        A refund that comes before its payment is kept, and booked with it. Raises `CurrencyError`.
        """

        async def work(session: Session) -> list[str]:
            document = await self._payments.find_one({"_id": payment_id}, session=session)
            known = _payment(document) if document else Payment(id=payment_id)
            payment = merged(known, event)
            topup = None
            if payment.topup is not None and payment.paid:
                topup = _topup(await self._topups.find_one({"_id": payment.topup}, session=session))
                if topup is None:  # of another platform with the same provider's account, or of a lost database
                    log.error("topup.unknown", topup=payment.topup, payment=payment_id)
            entries: list[Entry] = []
            if topup is not None:
                if payment.currency != topup.currency:
                    raise CurrencyError(f"{topup.id} is in {topup.currency}, its payment in {payment.currency}")
                payment, entries = bookings(payment, topup.account, at)
                for entry in entries:
                    await self._ledger.post_within(session, entry)
                change = {
                    "$inc": {
                        "paid": payment.booked_paid - known.booked_paid,
                        "taken": payment.booked_taken - known.booked_taken,
                    },
                    "$set": {"disputed": payment.is_disputed, "changed_at": at},
                }
                if entries or payment != known:
                    await self._topups.update_one({"_id": topup.id}, change, session=session)
            if payment != known:
                values: Document = msgspec.to_builtins(payment)
                await self._payments.replace_one(
                    {"_id": payment_id}, {"_id": values.pop("id"), **values}, upsert=True, session=session
                )
            return [entry.key for entry in entries]

        return await self._mongo.transaction(work)


def _document(topup: TopUp) -> Document:
    values: Document = msgspec.to_builtins(topup)
    return {"_id": values.pop("id"), **values}


def _topup(document: Document | None) -> TopUp | None:
    return None if document is None else msgspec.convert({**document, "id": document["_id"]}, TopUp)


def _payment(document: Document) -> Payment:
    return msgspec.convert({**document, "id": document["_id"]}, Payment)
