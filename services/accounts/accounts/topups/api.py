"""Top-ups over HTTP: an account's own under /v1/topups, and the providers' webhook."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from accounts.domain.account import Account
from accounts.domain.errors import UnknownError
from accounts.domain.rules import callback_url
from accounts.topups.handlers import OpenTopUp, TakePaymentEvent
from accounts.topups.store import TopUpStore
from accounts.topups.topup import TopUp, TopUpState
from carillon.http.idempotency import REPLAYED_HEADER, KeyHeader
from carillon.http.pagination import CursorParameter, Limit, Page, add_next_link, decode_cursor, encode_cursor
from carillon.http.problem import Problem
from carillon.runtime.clock import rfc3339
from carillon.runtime.money import MOST_MICROS

TopUpId = Annotated[str, Path(alias="id", examples=["top_0123456789abcdefghjkmnpqrs"])]
_LONGEST_KEY = 255


class NewTopUp(BaseModel):
    """`POST /v1/topups`."""

    model_config = ConfigDict(extra="forbid")

    amount_micros: int = Field(gt=0, le=MOST_MICROS, description="of the account's currency; 1,000,000 are one euro")
    return_url: Annotated[str, AfterValidator(callback_url)] | None = Field(
        default=None, description="where the browser goes after the checkout; what it says there proves nothing"
    )


class TopUpView(BaseModel):
    """A top-up. It counts when `state` is `paid`: the provider has said so, signed."""

    id: str
    state: TopUpState
    amount_micros: int
    currency: str
    paid_micros: int = Field(description="what came in")
    taken_micros: int = Field(description="what went back by refunds and disputes")
    checkout_url: str | None = Field(description="the page to pay on; null once it is of no more use")
    created_at: str
    changed_at: str

    @classmethod
    def of(cls, topup: TopUp) -> "TopUpView":
        """As its account sees it."""
        return cls(
            id=topup.id,
            state=topup.state,
            amount_micros=topup.amount,
            currency=topup.currency,
            paid_micros=topup.paid,
            taken_micros=topup.taken,
            checkout_url=topup.checkout.url if topup.checkout and topup.state == "open" else None,
            created_at=rfc3339(topup.created_at),
            changed_at=rfc3339(topup.changed_at),
        )


def own_routes(
    store: TopUpStore, open_topup: OpenTopUp, account_of_key: Callable[..., Awaitable[Account]]
) -> APIRouter:
    """What an account may do."""
    router = APIRouter(prefix="/v1/topups", tags=["credit"])
    own = Depends(account_of_key)

    @router.post("", status_code=201)
    async def add_topup(
        account: Annotated[Account, own], given: NewTopUp, response: Response, key: KeyHeader = None
    ) -> TopUpView:
        """Open a checkout. Credit comes when the provider says that it is paid, which may take a moment."""
        if key is not None and not (1 <= len(key) <= _LONGEST_KEY and key.isascii() and key.isprintable()):
            raise Problem(400, "bad_idempotency_key", "The Idempotency-Key can't be used.")
        topup, replayed = await open_topup(account, given.amount_micros, given.return_url, key)
        if replayed:
            response.headers[REPLAYED_HEADER] = "true"
        response.headers["Location"] = f"/v1/topups/{topup.id}"
        return TopUpView.of(topup)

    @router.get("")
    async def list_topups(
        account: Annotated[Account, own],
        request: Request,
        response: Response,
        cursor: CursorParameter = None,
        limit: Limit = 50,
    ) -> Page[TopUpView]:
        """The account's top-ups, newest first."""
        after = decode_cursor(cursor, tuple[int, str]) if cursor else None
        found = await store.page(account.id, after=after, limit=limit + 1)
        more = encode_cursor((found[limit - 1].created_at, found[limit - 1].id)) if len(found) > limit else None
        add_next_link(request, response, more)
        return Page(items=[TopUpView.of(topup) for topup in found[:limit]], next=more)

    @router.get("/{id}")
    async def read_topup(account: Annotated[Account, own], topup_id: TopUpId) -> TopUpView:
        """One top-up."""
        topup = await store.find(account.id, topup_id)
        if topup is None:
            raise UnknownError("topup_unknown", "the account has no top-up of this id")
        return TopUpView.of(topup)

    return router


def webhook_routes(take: TakePaymentEvent) -> APIRouter:
    """Where providers say what became of a payment. What counts is their signature, not who calls."""
    router = APIRouter(prefix="/v1/topups/webhook", tags=["credit"])

    @router.post("/{provider}", status_code=204)
    async def hear(provider: Annotated[str, Path(pattern="^[a-z]{1,20}$")], request: Request) -> None:
        """A signed event; 204 when it is taken, or means nothing here."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        await take(provider, await request.body(), headers)

    return router
