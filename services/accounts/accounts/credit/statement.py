"""A month's statement: what there was, what came and went by day and kind, what is left. It equals the ledger.

Months are of UTC. Leases, charges and releases move credit within an account and are not told; what is captured is.
"""

import re
from datetime import UTC, datetime

from msgspec import Struct

from accounts.credit.entry import CUSTOMER
from accounts.domain.account import Account
from carillon.mongo import Database, Document, Mongo, Session

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])", re.ASCII)
_FIRST_YEAR = 2020


class Movement(Struct, frozen=True):
    """One kind on one day (`2026-11-23`), micro-units; `capture` is what messages cost."""

    day: str
    kind: str
    micros: int


class Destination(Struct, frozen=True):
    """Messages to one country (ISO 3166, empty: unknown) that were charged in the month."""

    country: str
    messages: int
    parts: int
    micros: int


class Statement(Struct, frozen=True, kw_only=True):
    """`closing` is `opening` and all movements; of a month that is not over, what there is now."""

    account: str
    account_name: str
    currency: str
    month: str
    first_day: str
    last_day: str
    opening: int
    movements: tuple[Movement, ...]
    destinations: tuple[Destination, ...]
    closing: int


def month_bounds(month: str) -> tuple[int, int]:
    """First moment of the month and of the next, in milliseconds; `ValueError` when it is none."""
    match = _MONTH.fullmatch(month)
    if match is None or int(match[1]) < _FIRST_YEAR:
        raise ValueError("a month such as 2026-11")
    year, number = int(match[1]), int(match[2])
    following = (year + 1, 1) if number == 12 else (year, number + 1)
    return _millis(year, number), _millis(*following)


async def read_statement(mongo: Mongo, database: Database, account: Account, month: str, now: int) -> Statement:
    """All of it as of one moment."""
    begin, end = month_bounds(month)
    async with mongo.snapshot() as session:
        opening = sum(row.micros for row in await _movements(database, session, account.id, {"$lt": begin}))
        movements = await _movements(database, session, account.id, {"$gte": begin, "$lt": end})
        destinations = await _destinations(database, session, account.id, begin, end)
    return Statement(
        account=account.id,
        account_name=account.name,
        currency=account.currency,
        month=month,
        first_day=f"{month}-01",
        last_day=_day(min(end - 1, now)),
        opening=opening,
        movements=tuple(movements),
        destinations=tuple(destinations),
        closing=opening + sum(row.micros for row in movements),
    )


async def _movements(database: Database, session: Session, account: str, at: Document) -> list[Movement]:
    day = {"$dateToString": {"date": {"$toDate": "$at"}, "format": "%Y-%m-%d"}}
    pipeline: list[Document] = [
        {"$match": {"account": account, "at": at}},
        {"$unwind": "$lines"},
        {"$match": {"lines.book": {"$in": list(CUSTOMER)}}},
        {"$group": {"_id": {"day": day, "kind": "$kind"}, "micros": {"$sum": "$lines.micros"}}},
        {"$match": {"micros": {"$ne": 0}}},
        {"$sort": {"_id.day": 1, "_id.kind": 1}},
    ]
    cursor = database["entries"].aggregate(pipeline, session=session)
    return [Movement(row["_id"]["day"], row["_id"]["kind"], int(row["micros"])) async for row in cursor]


async def _destinations(database: Database, session: Session, account: str, begin: int, end: int) -> list[Destination]:
    sums = {"messages": {"$sum": 1}, "parts": {"$sum": "$parts"}, "micros": {"$sum": "$micros"}}
    pipeline: list[Document] = [
        {"$match": {"account": account, "settled_at": {"$gte": begin, "$lt": end}, "state": "captured"}},
        {"$group": {"_id": "$country", **sums}},
        {"$sort": {"micros": -1, "_id": 1}},
    ]
    cursor = database["charges"].aggregate(pipeline, session=session)
    return [
        Destination(row["_id"] or "", int(row["messages"]), int(row["parts"]), int(row["micros"]))
        async for row in cursor
    ]


def _millis(year: int, month: int) -> int:
    return round(datetime(year, month, 1, tzinfo=UTC).timestamp() * 1000)


def _day(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d")
