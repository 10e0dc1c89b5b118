"""The ledger in MongoDB. Every change is one transaction: entries, the balance they add up to, leases and charges.

entries   append-only, each adds up to zero          balances  one an account: what its entries add up to
leases    what is lent to a process                  charges   one a message: held, captured or released
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct
from pymongo import UpdateOne

from accounts.credit.entry import CUSTOMER, Entry, Kind, Line, move
from accounts.credit.rules import LEASE_S, ChargeState, grant
from carillon.events.credit import LeaseRequested
from carillon.mongo import Database, Document, Index, Mongo, Session, ensure_indexes
from carillon.runtime.ids import new_id

INDEXES = {
    # an index makes its collection: none can be made inside of a transaction
    "balances": (Index(("currency",)),),
    "entries": (Index(("account", "at", "_id")),),
    "leases": (Index(("expires_at",), where={"state": "open"}),),
    "charges": (Index(("account", "state")),),
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


class Charge(Struct, frozen=True, kw_only=True):
    """What a message costs, and the lease that pays."""

    message: int
    account: str
    lease: str
    micros: int


class UnknownLeaseError(Exception):
    """A message names a lease that was never given: its record is no message of ours."""


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
        """A top-up, a refund or an adjustment; False when an entry of that key was made before."""

        async def work(session: Session) -> bool:
            if await self._entries.find_one({"_id": entry.key}, session=session):
                return False
            await self._write(session, [entry])
            return True

        return await self._mongo.transaction(work)

    async def set_limit(self, account: str, currency: str, limit: int) -> None:
        """How far below zero `available` may be lent: 0 or less."""
        await self._balances.update_one(
            {"_id": account}, {"$set": {"limit": limit}, "$setOnInsert": {"currency": currency}}, upsert=True
        )

    async def balance(self, account: str) -> Balance | None:
        """The account's balance; None: it never had any."""
        document = await self._balances.find_one({"_id": account})
        return None if document is None else _balance(document)

    async def entries(self, account: str, *, after: str | None = None, limit: int = 100) -> list[Entry]:
        """An account's entries, oldest first."""
        cursor = self._entries.find({"account": account, **({"_id": {"$gt": after}} if after else {})})
        return [_entry(document) async for document in cursor.sort("_id", 1).limit(limit)]

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
                await self._write(session, [_made(asked.account, balance.currency, "lease", lines, at, asked.lease)])
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
            unknown = {charge.lease for charge in charges.values()} - leases.keys()
            if unknown:
                raise UnknownLeaseError(", ".join(sorted(unknown)))
            book = _Book(leases, at)
            made = [charge for id_, charge in charges.items() if id_ not in known]
            for charge in made:
                book.charge(charge)
            moved: dict[int, ChargeState] = {}
            for id_, state in settled.items():
                if known.get(id_, "held") == "held":
                    moved[id_] = state
                    book.settle(charges[id_], state)
            for lease in ended:
                book.end(lease)
            if made:
                documents = [_charge_document(charge, moved.get(charge.message, "held"), at) for charge in made]
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
            await self._balances.update_one(
                {"_id": account}, {"$inc": dict(books), "$setOnInsert": {"currency": currency}}, upsert=True,
                session=session,
            )  # fmt: skip

    # -- proof ----------------------------------------------------------------------------------------------

    async def trial_balance(self) -> AsyncIterator[str]:
        """Everything that is wrong with the book, a sentence each; nothing: it balances."""
        sums = self._entries.aggregate(
            [
                {"$unwind": "$lines"},
                {
                    "$group": {
                        "_id": {"account": "$account", "currency": "$currency", "book": "$lines.book"},
                        "micros": {"$sum": "$lines.micros"},
                    }
                },
            ],
            allowDiskUse=True,
        )
        by_currency: dict[str, int] = defaultdict(int)
        by_account: dict[str, dict[str, int]] = defaultdict(dict)
        async for row in sums:
            by_currency[row["_id"]["currency"]] += row["micros"]
            by_account[row["_id"]["account"]][row["_id"]["book"]] = row["micros"]
        for currency, micros in by_currency.items():
            if micros:
                yield f"the entries in {currency} add up to {micros} micro-units, not to zero"
        async for document in self._balances.find({}):
            for book in CUSTOMER:
                if document.get(book, 0) != by_account[document["_id"]].get(book, 0):
                    yield f"{document['_id']}: its balance has {document.get(book, 0)} {book}, its entries another sum"
        async for line in self._check_parts(by_account):
            yield line

    async def _check_parts(self, by_account: Mapping[str, Mapping[str, int]]) -> AsyncIterator[str]:
        leased = await self._sums("leases", {"state": "open"}, {"$subtract": ["$granted", "$charged"]})
        held = await self._sums("charges", {"state": "held"}, "$micros")
        for account, books in by_account.items():
            if books.get("leased", 0) != leased.get(account, 0):
                yield f"{account}: {books.get('leased', 0)} leased, and open leases of {leased.get(account, 0)}"
            if books.get("held", 0) != held.get(account, 0):
                yield f"{account}: {books.get('held', 0)} held, and held charges of {held.get(account, 0)}"

    async def _sums(self, collection: str, where: Document, amount: object) -> dict[str, int]:
        cursor = self._database[collection].aggregate(
            [{"$match": where}, {"$group": {"_id": "$account", "micros": {"$sum": amount}}}]
        )
        return {row["_id"]: int(row["micros"]) async for row in cursor}


class _Book:
    """What one batch changes: sums for each account, so that a batch is a few entries and not one a message."""

    def __init__(self, leases: Mapping[str, Document], at: int) -> None:
        self._leases = leases
        self._at = at
        self._moves: dict[tuple[str, str, Kind, str, str], int] = defaultdict(int)
        self._charged: dict[str, int] = defaultdict(int)
        self._ended: set[str] = set()

    def charge(self, charge: Charge) -> None:
        """From the lease to held; of a lease that has ended, or spent more than it was lent, from what is available."""
        lease = self._leases[charge.lease]
        left = 0
        if lease["state"] == "open":
            left = min(max(lease["granted"] - lease["charged"] - self._charged[charge.lease], 0), charge.micros)
            self._charged[charge.lease] += left
        self._move(charge.account, "charge", "leased", "held", left, lease)
        self._move(charge.account, "charge", "available", "held", charge.micros - left, lease)

    def settle(self, charge: Charge, state: ChargeState) -> None:
        """Earned, or given back."""
        kind: Kind = "capture" if state == "captured" else "release"
        target = "revenue" if state == "captured" else "available"
        self._move(charge.account, kind, "held", target, charge.micros, self._leases[charge.lease])

    def end(self, lease_id: str) -> None:
        """What was not spent goes back."""
        lease = self._leases.get(lease_id)
        if lease is None or lease["state"] != "open" or lease_id in self._ended:
            return
        self._ended.add(lease_id)
        left = lease["granted"] - lease["charged"] - self._charged[lease_id]
        self._move(lease["account"], "lease_end", "leased", "available", left, lease)

    @property
    def leases_changed(self) -> dict[str, Document]:
        """Updates by lease."""
        changes: dict[str, Document] = {
            lease: {"$inc": {"charged": micros}} for lease, micros in self._charged.items() if micros
        }
        for lease in self._ended:
            changes.setdefault(lease, {})["$set"] = {"state": "ended"}
        return changes

    def entries(self) -> list[Entry]:
        """One for each account, kind and pair of books."""
        return [
            _made(account, currency, kind, move(source, target, micros), self._at, None)
            for (account, currency, kind, source, target), micros in self._moves.items()
            if micros
        ]

    def _move(self, account: str, kind: Kind, source: str, target: str, micros: int, lease: Document) -> None:
        self._moves[account, lease["currency"], kind, source, target] += micros


def _made(account: str, currency: str, kind: Kind, lines: tuple[Line, ...], at: int, ref: str | None) -> Entry:
    return Entry(key=new_id("ent"), account=account, currency=currency, kind=kind, lines=lines, at=at, ref=ref)


def _charge_document(charge: Charge, state: ChargeState, at: int) -> Document:
    return {
        "_id": charge.message,
        "account": charge.account,
        "lease": charge.lease,
        "micros": charge.micros,
        "state": state,
        "at": at,
    }


def _entry_document(entry: Entry) -> Document:
    values: Document = msgspec.to_builtins(entry)
    return {"_id": values.pop("key"), **values}


def _entry(document: Document) -> Entry:
    return msgspec.convert({**document, "key": document["_id"]}, Entry)


def _balance(document: Document) -> Balance:
    return msgspec.convert({**document, "account": document["_id"]}, Balance)
