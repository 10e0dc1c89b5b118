"""The proof of the book: every sum is zero, every balance is what its entries add up to, every lease is known."""

from collections import defaultdict
from collections.abc import AsyncIterator

from accounts.credit.entry import CUSTOMER
from carillon.mongo import Database, Document, Mongo, Session

Books = dict[tuple[str, str], dict[str, int]]


async def check_book(mongo: Mongo, database: Database) -> AsyncIterator[str]:
    """Everything that is wrong with the book, a sentence each.

    All of it is read as of one moment, so a platform at work may be checked.
    """
    async with mongo.snapshot() as session:
        books = await _books(database, session)
        sums: dict[str, int] = defaultdict(int)
        for (_, currency), micros_by_book in books.items():
            sums[currency] += sum(micros_by_book.values())
        for currency, micros in sums.items():
            if micros:
                yield f"the entries in {currency} add up to {micros} micro-units, not to zero"
        known: set[tuple[str, str]] = set()
        async for document in database["balances"].find({}, session=session):
            key = document["_id"], document["currency"]
            known.add(key)
            for book in CUSTOMER:
                if document.get(book, 0) != books.get(key, {}).get(book, 0):
                    yield f"{key[0]}: its balance has {document.get(book, 0)} {book}, its entries another sum"
        for account, currency in books.keys() - known:
            yield f"{account}: entries in {currency}, and no balance in it"
        leased = await _sums(database, session, "leases", {"state": "open"}, {"$subtract": ["$granted", "$charged"]})
        held = await _sums(database, session, "charges", {"state": "held"}, "$micros")
        for account, currency in known:  # its one currency is that of its leases and charges too
            here = books.get((account, currency), {})
            if here.get("leased", 0) != leased.get(account, 0):
                yield f"{account}: {here.get('leased', 0)} leased, and open leases of {leased.get(account, 0)}"
            if here.get("held", 0) != held.get(account, 0):
                yield f"{account}: {here.get('held', 0)} held, and held charges of {held.get(account, 0)}"


async def _books(database: Database, session: Session) -> Books:
    """By account and currency: each book's sum."""
    group = {
        "_id": {"account": "$account", "currency": "$currency", "book": "$lines.book"},
        "micros": {"$sum": "$lines.micros"},
    }
    books: Books = defaultdict(dict)
    pipeline: list[Document] = [{"$unwind": "$lines"}, {"$group": group}]
    async for row in database["entries"].aggregate(pipeline, allowDiskUse=True, session=session):
        books[row["_id"]["account"], row["_id"]["currency"]][row["_id"]["book"]] = row["micros"]
    return books


async def _sums(
    database: Database, session: Session, collection: str, where: Document, amount: object
) -> dict[str, int]:
    pipeline = [{"$match": where}, {"$group": {"_id": "$account", "micros": {"$sum": amount}}}]
    cursor = database[collection].aggregate(pipeline, session=session)
    return {row["_id"]: int(row["micros"]) async for row in cursor}
