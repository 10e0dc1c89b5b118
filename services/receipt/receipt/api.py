"""The HTTP of messages and callbacks; `receipts_api` has the stream and the numbers. Routes parse, call and render."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request, Response
from pydantic import AwareDatetime, BaseModel

from carillon.events.message import Status
from carillon.http.app import create_app
from carillon.http.pagination import CursorParameter, Limit, Page, add_next_link, decode_cursor, encode_cursor
from carillon.http.principal import Directory, Principal, require_scope
from carillon.http.problem import not_found
from carillon.runtime.clock import Clock
from carillon.runtime.ids import first_id_at
from receipt.exports import Exports
from receipt.queries import Filter, Queries
from receipt.receipts_api import stats_routes, stream_routes
from receipt.replays import Replays
from receipt.sse import ReceiptStream
from receipt.stats import Stats
from receipt.store.callbacks import State
from receipt.views import CallbackView, DisabledUrlView, FullMessageView, MessageView

_MESSAGES: Final = "messages"
_RECEIPTS: Final = "receipts"
_LAST_ID: Final = (1 << 63) - 1

MessageId = Annotated[int, Path(ge=1, le=_LAST_ID, description="the id that was given when it was accepted")]
Moment = Annotated[AwareDatetime | None, Query(description="RFC 3339, with its offset")]


class Replayed(BaseModel):
    """How many callbacks will be made again."""

    replayed: int


class ReplayRange(BaseModel):
    """Parked callbacks of messages that were accepted within this time."""

    from_: Annotated[AwareDatetime, Query(alias="from")]
    to: AwareDatetime

    model_config = {"populate_by_name": True}


def application(
    queries: Queries,
    replays: Replays,
    stream: ReceiptStream,
    exports: Exports,
    stats: Stats,
    accounts: Directory,
    clock: Clock,
    *,
    health: Callable[[], dict[str, str]],
) -> FastAPI:
    """All routes behind the gate."""
    routers = [
        _messages(queries, accounts, clock),
        stream_routes(stream, exports, accounts, clock),
        stats_routes(stats, accounts, clock),
        _callbacks(replays, accounts, clock),
    ]
    return create_app("Carillon receipt", routers=routers, health=health)


def _messages(queries: Queries, accounts: Directory, clock: Clock) -> APIRouter:
    router = APIRouter(tags=["messages"])
    reader = Annotated[Principal, Depends(require_scope(accounts, _MESSAGES, clock))]

    @router.get("/v1/messages/{message_id}")
    async def get_message(message_id: MessageId, principal: reader) -> FullMessageView:
        """Everything known of a message: status, milestones, parts, price, route, callbacks, trace."""
        view = await queries.message(principal.account_id, message_id)
        if view is None:
            raise not_found("There is no such message.")
        return view

    @router.get("/v1/messages")
    async def list_messages(
        request: Request,
        response: Response,
        principal: reader,
        status: Status | None = None,
        campaign: Annotated[str | None, Query(max_length=100)] = None,
        number: Annotated[str | None, Query(pattern=r"^\+?[0-9]{8,15}$")] = None,
        client_ref: Annotated[str | None, Query(max_length=200)] = None,
        from_: Annotated[AwareDatetime | None, Query(alias="from", description="RFC 3339, with its offset")] = None,
        to: Moment = None,
        limit: Limit = 50,
        cursor: CursorParameter = None,
    ) -> Page[MessageView]:
        """The newest first. A page may be short, or empty, and have a `next` all the same: go on until it is null."""
        wanted = Filter(
            status=status,
            campaign=campaign,
            number=number.lstrip("+") if number else None,
            client_ref=client_ref,
            first=_first_id(from_) if from_ else 0,
            last=_first_id(to) - 1 if to else _LAST_ID,
        )
        before = decode_cursor(cursor, int) if cursor else None
        listed = await queries.page(principal.account_id, wanted, before, limit)
        next_ = encode_cursor(listed.next) if listed.next is not None else None
        add_next_link(request, response, next_)
        return Page(items=listed.items, next=next_)

    return router


def _callbacks(replays: Replays, accounts: Directory, clock: Clock) -> APIRouter:
    router = APIRouter(prefix="/v1/callbacks", tags=["callbacks"])
    reader = Annotated[Principal, Depends(require_scope(accounts, _RECEIPTS, clock))]

    @router.get("")
    async def list_callbacks(
        request: Request,
        response: Response,
        principal: reader,
        message: Annotated[int | None, Query(ge=1, le=_LAST_ID)] = None,
        state: State | None = None,
        limit: Limit = 50,
        cursor: CursorParameter = None,
    ) -> Page[CallbackView]:
        """Callbacks with their attempts, of the newest messages first: what did not succeed at once.

        Of one `message`, those that succeeded at once are shown too.
        """
        place = decode_cursor(cursor, tuple[int, int]) if cursor else None
        items, next_place = await replays.page(principal.account_id, message, state, place, limit)
        next_ = encode_cursor(next_place) if next_place is not None else None
        add_next_link(request, response, next_)
        return Page(items=items, next=next_)

    @router.post("/replay", status_code=202)
    async def replay_callbacks(given: ReplayRange, principal: reader) -> Replayed:
        """Make all parked callbacks of messages that were accepted within this time again."""
        count = await replays.replay_range(principal.account_id, _first_id(given.from_), _first_id(given.to))
        return Replayed(replayed=count)

    @router.post("/{callback_id}/replay", status_code=202)
    async def replay_callback(
        callback_id: Annotated[str, Path(pattern=r"^[0-9]{1,19}-[a-z]+$")], principal: reader
    ) -> Replayed:
        """Make one callback again, whatever became of it: parked, done, or long forgotten."""
        if not await replays.replay(principal.account, callback_id):
            raise not_found("There is no such callback.")
        return Replayed(replayed=1)

    @router.get("/disabled")
    async def list_disabled_urls(principal: reader) -> list[DisabledUrlView]:
        """URLs that answered 410 Gone: they are not called any more."""
        return await replays.disabled(principal.account_id)

    @router.delete("/disabled/{url_id}", status_code=204)
    async def enable_url(url_id: Annotated[str, Path(pattern=r"^url_[0-9a-f]{24}$")], principal: reader) -> None:
        """Call this URL again from now on. What was parked meanwhile can be replayed."""
        if not await replays.enable(principal.account_id, url_id):
            raise not_found("This URL is not disabled.")

    return router


def _first_id(moment: datetime) -> int:
    return min(first_id_at(round(moment.timestamp() * 1000)), _LAST_ID)
