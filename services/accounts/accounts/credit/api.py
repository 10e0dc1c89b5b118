"""Credit over HTTP: an account's balance and ledger under /v1, top-ups by hand and the trial balance under /admin."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from accounts.credit.entry import Entry, Kind, move
from accounts.credit.ledger import Balance, Ledger
from accounts.credit.statement import Statement, month_bounds
from accounts.credit.statement_csv import statement_csv
from accounts.credit.statement_pdf import Language, statement_pdf
from accounts.domain.account import Account
from accounts.domain.errors import UnknownError
from accounts.handlers import account_unknown
from accounts.store import AccountStore
from carillon.http.pagination import CursorParameter, Limit, Page, add_next_link, decode_cursor, encode_cursor
from carillon.http.principal import require_platform
from carillon.runtime.clock import Clock, rfc3339
from carillon.runtime.money import MOST_MICROS

AccountId = Annotated[str, Path(alias="id", examples=["acc_0123456789abcdefghjkmnpqrs"])]

Month = Annotated[str, Path(pattern="^20[2-9][0-9]-(0[1-9]|1[0-2])$", examples=["2026-11"])]


class BalanceView(BaseModel):
    """Micro-units of the currency: 1,000,000 are one euro."""

    currency: str
    prepaid: bool = Field(description="false: messages are not charged to credit")
    balance_micros: int = Field(description="all of it: available, lent to processes, held for messages")
    available_micros: int
    held_micros: int = Field(description="for messages that no operator has taken yet, and credit about to be spent")
    limit_micros: int = Field(description="how far below zero it may go: 0 or less")
    low_balance: bool = Field(description="the balance is at or below the account's `low_balance_micros`")

    @classmethod
    def of(cls, account: Account, balance: Balance | None) -> "BalanceView":
        """An account that never had credit has none."""
        balance = balance or Balance(account=account.id, currency=account.currency)
        return cls(
            currency=balance.currency,
            prepaid=account.prepaid,
            balance_micros=balance.total,
            available_micros=balance.available,
            held_micros=balance.held + balance.leased,
            limit_micros=balance.limit,
            low_balance=bool(account.low_balance_micros) and balance.total <= account.low_balance_micros,
        )


class LineView(BaseModel):
    """`book` is available, leased, held, or the platform's cash, revenue, adjustment."""

    book: str
    micros: int


class EntryView(BaseModel):
    """One entry of the ledger; its lines add up to zero."""

    id: str
    kind: Kind
    currency: str
    lines: list[LineView]
    at: str
    ref: str | None

    @classmethod
    def of(cls, entry: Entry) -> "EntryView":
        """As it was written."""
        return cls(
            id=entry.key,
            kind=entry.kind,
            currency=entry.currency,
            lines=[LineView(book=line.book, micros=line.micros) for line in entry.lines],
            at=rfc3339(entry.at),
            ref=entry.ref,
        )


class NewCredit(BaseModel):
    """`POST /admin/accounts/{id}/credit`. `key` makes it safe to repeat: an amount counts once for each."""

    model_config = ConfigDict(extra="forbid")

    amount_micros: int = Field(ge=-MOST_MICROS, le=MOST_MICROS, description="less than 0 takes credit away")
    key: str = Field(pattern="^[a-zA-Z0-9_.:-]{1,64}$", description="your own reference, such as an invoice's number")


class NewLimit(BaseModel):
    """`PUT /admin/accounts/{id}/credit/limit`."""

    model_config = ConfigDict(extra="forbid")

    limit_micros: int = Field(ge=-MOST_MICROS, le=0)


class TrialBalance(BaseModel):
    """`balances` is true when `wrong` is empty."""

    balances: bool
    wrong: list[str]


def own_routes(ledger: Ledger, account_of_key: Callable[..., Awaitable[Account]], clock: Clock) -> APIRouter:
    """What an account sees of its credit."""
    router = APIRouter(prefix="/v1/ledger", tags=["credit"])
    own = Depends(account_of_key)

    @router.get("/balance")
    async def read_balance(account: Annotated[Account, own]) -> BalanceView:
        """What there is, and what of it is held."""
        return BalanceView.of(account, await ledger.balance(account.id))

    @router.get("/statements/{month}.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
    async def read_statement_csv(account: Annotated[Account, own], month: Month) -> Response:
        """A month's balances, sums by day and kind, and messages by destination."""
        statement = await _statement(ledger, account, month, clock.now_ms())
        return _file(statement_csv(statement).encode(), "text/csv; charset=utf-8", f"carillon-{month}.csv")

    @router.get(
        "/statements/{month}.pdf", response_class=Response, responses={200: {"content": {"application/pdf": {}}}}
    )
    async def read_statement_pdf(
        account: Annotated[Account, own],
        month: Month,
        lang: Annotated[Language | None, Query(description="default: French for accounts of France")] = None,
    ) -> Response:
        """The same on paper."""
        statement = await _statement(ledger, account, month, clock.now_ms())
        language = lang or ("fr" if account.country == "FR" else "en")
        body = await asyncio.to_thread(statement_pdf, statement, language)
        return _file(body, "application/pdf", f"carillon-{month}.pdf")

    @router.get("")
    async def list_entries(
        account: Annotated[Account, own],
        request: Request,
        response: Response,
        cursor: CursorParameter = None,
        limit: Limit = 50,
    ) -> Page[EntryView]:
        """The account's entries, oldest first."""
        after = decode_cursor(cursor, tuple[int, str]) if cursor else None
        found = await ledger.entries(account.id, after=after, limit=limit + 1)
        more = encode_cursor((found[limit - 1].at, found[limit - 1].key)) if len(found) > limit else None
        add_next_link(request, response, more)
        return Page(items=[EntryView.of(entry) for entry in found[:limit]], next=more)

    return router


def admin_routes(ledger: Ledger, accounts: AccountStore, clock: Clock, token: str) -> APIRouter:
    """What the platform team may do, guarded by its token."""
    router = APIRouter(prefix="/admin", tags=["credit"], dependencies=[Depends(require_platform(token))])

    @router.get("/accounts/{id}/credit")
    async def read_credit(account_id: AccountId) -> BalanceView:
        """An account's balance."""
        account = await _found(accounts, account_id)
        return BalanceView.of(account, await ledger.balance(account.id))

    @router.post("/accounts/{id}/credit")
    async def add_credit(account_id: AccountId, given: NewCredit) -> BalanceView:
        """Credit that was paid otherwise, or a correction. The same key again changes nothing."""
        account = await _found(accounts, account_id)
        entry = Entry(
            key=f"adj_{account.id}_{given.key}",
            account=account.id,
            currency=account.currency,
            kind="adjustment",
            lines=move("adjustment", "available", given.amount_micros),
            at=clock.now_ms(),
            ref=given.key,
        )
        await ledger.post(entry)
        return BalanceView.of(account, await ledger.balance(account.id))

    @router.put("/accounts/{id}/credit/limit")
    async def put_limit(account_id: AccountId, given: NewLimit) -> BalanceView:
        """How far below zero the account may go."""
        account = await _found(accounts, account_id)
        await ledger.set_limit(account.id, account.currency, given.limit_micros)
        return BalanceView.of(account, await ledger.balance(account.id))

    @router.get("/ledger/check")
    async def check_ledger() -> TrialBalance:
        """The trial balance: every sum is zero, every balance is what its entries add up to, every lease is known."""
        wrong = [line async for line in ledger.trial_balance()]
        return TrialBalance(balances=not wrong, wrong=wrong[:100])

    return router


async def _statement(ledger: Ledger, account: Account, month: str, now: int) -> Statement:
    begin, end = month_bounds(month)
    if begin > now or end <= account.created_at:
        raise UnknownError("statement_unknown", "the account has no statement of this month")
    return await ledger.statement(account, month, now)


def _file(body: bytes, media_type: str, name: str) -> Response:
    return Response(body, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})


async def _found(accounts: AccountStore, account_id: str) -> Account:
    account = await accounts.find(account_id)
    if account is None:
        raise account_unknown()
    return account
