"""The ledger in MongoDB. Every change is one transaction: entries, the balance they add up to, leases and charges.

entries   append-only, each adds up to zero          balances  one an account: what its entries add up to
leases    what is lent to a process                  charges   one a message: held, captured or released
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct
from pymongo import ReturnDocument, UpdateOne

from accounts.credit.batch import Batch, Charge, made
from accounts.credit.entry import CUSTOMER, Entry, move
from accounts.credit.rules import LEASE_S, ChargeState, grant
from accounts.credit.statement import Statement, read_statement
from accounts.credit.trial_balance import check_book
from accounts.domain.account import Account
from carillon.events.credit import LeaseRequested
from carillon.mongo import Database, Document, Index, Mongo, Session, ensure_indexes

INDEXES = {
    # an index makes its collection: none can be made inside of a transaction
    "balances": (Index(("currency",)),),
    "entries": (Index(("account", "at", "_id")),),
    "leases": (Index(("expires_at",), where={"state": "open"}),),
    "charges": (
        Index(("account", "state")),
        Index(("account", "settled_at"), where={"settled_at": {"$exists": True}}),
    ),
}


class Balance(Struct, frozen=True, kw_only=True):
    """Micro-units of `currency`. `available` is never lent below `limit` (0, or less for an overdraft)."""

    account: str
    currency: str
    available: int = 0
    leased: int = 0
    held: int = 0
    limit: int = 0

    @property
    def total(self) -> int:
        """What the account has, lent and held included."""
        return self.available + self.leased + self.held


class UnknownLeaseError(Exception):
    """A message names a lease that was never given to its account: its record is no message of ours."""


class CurrencyError(Exception):
    """An entry in another currency than the account's balance: one balance is in one currency."""


class Ledger:
    """A part. `at` is milliseconds since 1970 everywhere."""

    def __init__(self, mongo: Mongo, database: Database) -> None:
        self._mongo = mongo
        self._database = database
        self._entries = database["entries"]
        self._balances = database["balances"]
        self._leases = database["leases"]
        self._charges = database["charges"]

    async def start(self) -> None:
        """Make the indexes that are missing."""
        await ensure_indexes(self._database, INDEXES)

    async def stop(self) -> None:
        """Nothing to let go."""

    # -- money in and out -----------------------------------------------------------------------------------

    async def post(self, entry: Entry) -> bool:
        """A top-up, a refund or an adjustment; False when an entry of that key was made before.

        Raises `CurrencyError`.
        """
        return await self._mongo.transaction(lambda session: self.post_within(session, entry))

    async def post_within(self, session: Session, entry: Entry) -> bool:
        """The same as a part of a transaction that writes more."""
        if await self._entries.find_one({"_id": entry.key}, session=session):
            return False
        await self._write(session, [entry])
        return True

    async def set_limit(self, account: str, currency: str, limit: int) -> None:
        """How far below zero `available` may be lent: 0 or less."""
        await self._balances.update_one(
            {"_id": account}, {"$set": {"limit": limit}, "$setOnInsert": {"currency": currency}}, upsert=True
        )

    async def balance(self, account: str) -> Balance | None:
        """The account's balance; None: it never had any."""
        document = await self._balances.find_one({"_id": account})
        return None if document is None else _balance(document)

    async def entries(self, account: str, *, after: tuple[int, str] | None = None, limit: int = 100) -> list[Entry]:
        """An account's entries, oldest first, those after a moment and key (two may have one moment)."""
        wanted: Document = {"account": account}
        if after:
            at, key = after
            wanted["$or"] = [{"at": {"$gt": at}}, {"at": at, "_id": {"$gt": key}}]
        cursor = self._entries.find(wanted).sort([("at", 1), ("_id", 1)]).limit(limit)
        return [_entry(document) async for document in cursor]

    # -- leases ---------------------------------------------------------------------------------------------

    async def lend(self, asked: LeaseRequested, currency: str, at: int) -> int:
        """Micro-units lent; asked again, the same answer."""

        async def work(session: Session) -> int:
            known = await self._leases.find_one({"_id": asked.lease}, session=session)
            if known is not None:
                return int(known["granted"])
            document = await self._balances.find_one({"_id": asked.account}, session=session)
            balance = _balance(document) if document else Balance(account=asked.account, currency=currency)
            micros = grant(balance.available - balance.limit, asked.needed_micros, asked.wanted_micros)
            lease = {
                "_id": asked.lease,
                "account": asked.account,
                "currency": balance.currency,
                "process": asked.process,
                "granted": micros,
                "charged": 0,
                "state": "open" if micros else "ended",
                "expires_at": at + LEASE_S * 1000,
            }
            await self._leases.insert_one(lease, session=session)
            if micros:
                lines = move("available", "leased", micros)
                await self._write(session, [made(asked.account, balance.currency, "lease", lines, at, asked.lease)])
            return micros

        return await self._mongo.transaction(work)

    async def expired(self, before: int) -> list[tuple[str, str]]:
        """Open leases (lease, account) whose time ended before that moment: their processes are gone."""
        cursor = self._leases.find({"state": "open", "expires_at": {"$lt": before}}, {"account": 1})
        return [(document["_id"], document["account"]) async for document in cursor]

    # -- messages -------------------------------------------------------------------------------------------

    async def charges(self, messages: Collection[int]) -> dict[int, Charge]:
        """What was charged for these messages; those that were never charged are left out."""
        if not messages:
            return {}
        found = self._charges.find({"_id": {"$in": list(messages)}})
        return {
            document["_id"]: Charge(
                message=document["_id"],
                account=document["account"],
                lease=document["lease"],
                micros=document["micros"],
            )
            async for document in found
        }

    async def settle(
        self,
        charges: Mapping[int, Charge],
        settled: Mapping[int, ChargeState],
        ended: Iterable[str],
        at: int,
    ) -> None:
        """One batch of what happened: messages charged, charges captured or released, leases ended.

        Every message of `settled` is in `charges` too. Done again, it changes nothing: a charge is made once, leaves
        `held` once, and a lease ends once.
        """

        async def work(session: Session) -> None:
            known = await self._known(session, charges.keys())
            leases = await self._leases_of(session, charges.values(), ended)
            unknown = {
                charge.lease
                for charge in charges.values()
                if charge.lease not in leases or leases[charge.lease]["account"] != charge.account
            }
            if unknown:
                raise UnknownLeaseError(", ".join(sorted(unknown)))
            book = Batch(leases, at)
            fresh = [charge for id_, charge in charges.items() if id_ not in known]
            for charge in fresh:
                book.charge(charge)
            moved: dict[int, ChargeState] = {}
            for id_, state in settled.items():
                if known.get(id_, "held") == "held":
                    moved[id_] = state
                    book.settle(charges[id_], state)
            for lease in ended:
                book.end(lease)
            if fresh:
                documents = [_charge_document(charge, moved.get(charge.message, "held"), at) for charge in fresh]
                await self._charges.insert_many(documents, session=session)
            for state in ("captured", "released"):
                ids = [id_ for id_, new in moved.items() if new == state and id_ in known]
                if ids:
                    await self._charges.update_many(
                        {"_id": {"$in": ids}}, {"$set": {"state": state, "settled_at": at}}, session=session
                    )
            if book.leases_changed:
                await self._leases.bulk_write(
                    [UpdateOne({"_id": lease}, change) for lease, change in book.leases_changed.items()],
                    ordered=False,
                    session=session,
                )
            await self._write(session, book.entries())

        if charges or ended:
            await self._mongo.transaction(work)

    async def _known(self, session: Session, ids: Iterable[int]) -> dict[int, ChargeState]:
        cursor = self._charges.find({"_id": {"$in": list(ids)}}, {"state": 1}, session=session)
        return {document["_id"]: document["state"] async for document in cursor}

    async def _leases_of(
        self, session: Session, charges: Iterable[Charge], ended: Iterable[str]
    ) -> dict[str, Document]:
        wanted = {charge.lease for charge in charges} | set(ended)
        cursor = self._leases.find({"_id": {"$in": list(wanted)}}, session=session)
        return {document["_id"]: document async for document in cursor}

    async def _write(self, session: Session, entries: Sequence[Entry]) -> None:
        """Entries, and the balances that they change."""
        if not entries:
            return
        await self._entries.insert_many([_entry_document(entry) for entry in entries], session=session)
        sums: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for entry in entries:
            for line in entry.lines:
                if line.book in CUSTOMER:
                    sums[entry.account, entry.currency][line.book] += line.micros
        for (account, currency), books in sums.items():
            known = await self._balances.find_one_and_update(
                {"_id": account}, {"$inc": dict(books), "$setOnInsert": {"currency": currency}}, {"currency": 1},
                upsert=True, return_document=ReturnDocument.AFTER, session=session,
            )  # fmt: skip
            if known["currency"] != currency:  # raising undoes the transaction
                raise CurrencyError(f"{account} has its credit in {known['currency']}, not in {currency}")

    async def statement(self, account: Account, month: str, now: int) -> Statement:
        """A month (`2026-11`) of the account."""
        return await read_statement(self._mongo, self._database, account, month, now)

    def trial_balance(self) -> AsyncIterator[str]:
        """Everything that is wrong with the book, a sentence each; nothing: it balances."""
        return check_book(self._mongo, self._database)


def _charge_document(charge: Charge, state: ChargeState, at: int) -> Document:
    return {
        "_id": charge.message,
        "account": charge.account,
        "lease": charge.lease,
        "micros": charge.micros,
        "country": charge.country,
        "parts": charge.parts,
        "state": state,
        **({} if state == "held" else {"settled_at": at}),
        "at": at,
    }


def _entry_document(entry: Entry) -> Document:
    values: Document = msgspec.to_builtins(entry)
    return {"_id": values.pop("key"), **values}


def _entry(document: Document) -> Entry:
    return msgspec.convert({**document, "key": document["_id"]}, Entry)


def _balance(document: Document) -> Balance:
    return msgspec.convert({**document, "account": document["_id"]}, Balance)
