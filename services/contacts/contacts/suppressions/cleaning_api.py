"""`/v1/suppressions/bounces` and `.../reviews`: what operators and handsets have said, for people to look at."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response

from carillon.http.pagination import CursorParameter, Limit, Page, add_next_link, decode_cursor, encode_cursor
from carillon.http.principal import Principal
from carillon.http.problem import not_found
from carillon.runtime.clock import Clock
from contacts.inbound.review import ReviewStore
from contacts.suppressions.bounces import BounceStore
from contacts.suppressions.domain import Change
from contacts.suppressions.handlers import ChangeSuppressions
from contacts.suppressions.views import BounceView, Decided, ReviewView


def routes(
    bounces: BounceStore, reviews: ReviewStore, change: ChangeSuppressions, principal: Any, clock: Clock
) -> APIRouter:
    """`principal` is the dependency that gives who asks."""
    router = APIRouter(prefix="/v1/suppressions", tags=["suppressions"])
    who = Depends(principal)

    @router.get("/bounces")
    async def list_bounces(
        request: Request,
        response: Response,
        asking: Annotated[Principal, who],
        cursor: CursorParameter = None,
        limit: Limit = 50,
    ) -> Page[BounceView]:
        """Numbers that operators have called impossible in the last 90 days, the newest first."""
        after = decode_cursor(cursor, tuple[int, str]) if cursor else None
        found = await bounces.page(asking.account_id, after, limit + 1)
        last = found[limit - 1] if len(found) > limit else None
        more = encode_cursor((int(last["at"]), bytes(last["_id"]).hex())) if last is not None else None
        add_next_link(request, response, more)
        return Page(items=[BounceView.of(each) for each in found[:limit]], next=more)

    @router.get("/reviews")
    async def list_reviews(
        request: Request,
        response: Response,
        asking: Annotated[Principal, who],
        cursor: CursorParameter = None,
        limit: Limit = 50,
    ) -> Page[ReviewView]:
        """Texts that speak of STOP and that nobody has decided, the newest first."""
        after = decode_cursor(cursor, int) if cursor else None
        found = await reviews.page(asking.account_id, after, limit + 1)
        more = encode_cursor(int(found[limit - 1]["_id"])) if len(found) > limit else None
        add_next_link(request, response, more)
        return Page(items=[ReviewView.of(each) for each in found[:limit]], next=more)

    @router.post("/reviews/{id}")
    async def decide_review(
        asking: Annotated[Principal, who], review_id: Annotated[int, Path(alias="id")], given: Decided
    ) -> ReviewView:
        """`stop` suppresses the number as if it had said STOP; `ignore` leaves it."""
        review = await reviews.find(asking.account_id, review_id)
        if review is None:
            raise not_found("There is no such text.")
        if given.decision == "stop":
            said = Change(
                id=f"inb_{review_id}", account=asking.account_id, number=review["number"], reason="stop",
                source="stop", evidence=f'inbound {review_id} to {review["to"]}, read by {asking.key_id}: '
                f'"{review["text"]}"', at=clock.now_ms(),
            )  # fmt: skip
            await change.apply([said])
        await reviews.decide(asking.account_id, review_id, given.decision)
        return ReviewView.of({**review, "state": given.decision})

    return router
