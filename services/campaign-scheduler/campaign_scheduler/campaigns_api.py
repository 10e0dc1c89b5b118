"""Routes of campaigns."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from msgspec import convert
from starlette.responses import StreamingResponse

from campaign_scheduler.changes import ChangeCampaigns, campaign_unknown
from campaign_scheduler.domain.campaign import Campaign, CampaignState
from campaign_scheduler.domain.errors import ConflictError
from campaign_scheduler.domain.progress import Pages
from campaign_scheduler.progress_stream import ProgressStream
from campaign_scheduler.schemas import CampaignPatch, NewCampaign, TestSend
from campaign_scheduler.store import Stores
from campaign_scheduler.views import (
    CampaignView,
    DeferredView,
    FullCampaignView,
    QuoteView,
    RefusedView,
    TestView,
)
from carillon.events.audience import Audience, Recipient
from carillon.http.pagination import CursorParameter, Limit, Page, add_next_link, decode_cursor, encode_cursor
from carillon.http.principal import Directory, Principal, require_scope
from carillon.http.problem import overloaded
from carillon.runtime.clock import Clock, rfc3339

SCOPE: Final = "messages"
_REFUSED_SHOWN: Final = 100
CampaignId = Annotated[str, Path(pattern=r"^cmp_[0-9a-z.]{1,60}$")]


def routes(
    stores: Stores, change: ChangeCampaigns, stream: ProgressStream, accounts: Directory, clock: Clock
) -> APIRouter:
    """`/v1/campaigns`."""
    router = APIRouter(prefix="/v1/campaigns", tags=["campaigns"])
    principal = Depends(require_scope(accounts, SCOPE, clock))
    _lists(router, stores, principal)
    _drafts(router, stores, change, principal)
    _actions(router, stores, change, principal)
    _progress(router, stream, principal)
    return router


async def _shown(stores: Stores, campaign: Campaign) -> CampaignView:
    sums = await stores.pages.sums([campaign.id])
    return CampaignView.of(campaign, sums.get(campaign.id, Pages()))


def _lists(router: APIRouter, stores: Stores, depends: Any) -> None:
    user = Annotated[Principal, depends]

    @router.get("")
    async def list_campaigns(
        request: Request,
        response: Response,
        principal: user,
        state: Annotated[CampaignState | None, Query()] = None,
        limit: Limit = 50,
        cursor: CursorParameter = None,
    ) -> Page[CampaignView]:
        """The newest first."""
        before = decode_cursor(cursor, str) if cursor else None
        found = await stores.campaigns.page(principal.account_id, state=state, before=before, limit=limit)
        sums = await stores.pages.sums([campaign.id for campaign in found])
        next_ = encode_cursor(found[-1].id) if len(found) == limit else None
        add_next_link(request, response, next_)
        return Page(items=[CampaignView.of(one, sums.get(one.id, Pages())) for one in found], next=next_)

    @router.get("/{campaign_id}")
    async def read_campaign(campaign_id: CampaignId, principal: user) -> FullCampaignView:
        """One, with its counts, what waits for a window, and the first recipients without a text."""
        campaign = await stores.campaigns.find(principal.account_id, campaign_id)
        if campaign is None:
            raise campaign_unknown()
        view = await _shown(stores, campaign)
        deferred = await stores.pages.deferred(campaign_id)
        refused = await stores.pages.refused(campaign_id, _REFUSED_SHOWN)
        return FullCampaignView(
            **view.model_dump(),
            deferred=[DeferredView(rule=rule, until=rfc3339(at), messages=count) for rule, at, count in deferred],
            refused_numbers=[RefusedView(number=number, code=code) for number, code in refused],
        )


def _drafts(router: APIRouter, stores: Stores, change: ChangeCampaigns, depends: Any) -> None:
    user = Annotated[Principal, depends]

    @router.post("", status_code=201)
    async def add_campaign(given: NewCampaign, response: Response, principal: user) -> CampaignView:
        """A new draft: nothing is sent before it is started."""
        campaign = await change.add(principal.account, _fields(given))
        response.headers["Location"] = f"/v1/campaigns/{campaign.id}"
        return CampaignView.of(campaign, Pages())

    @router.patch("/{campaign_id}")
    async def change_campaign(campaign_id: CampaignId, given: CampaignPatch, principal: user) -> CampaignView:
        """A draft in everything; later only its name and its rate."""
        return await _shown(stores, await change.change(principal.account, campaign_id, _fields(given)))

    @router.delete("/{campaign_id}", status_code=204)
    async def remove_campaign(campaign_id: CampaignId, principal: user) -> None:
        """A draft; what was started is cancelled instead."""
        if await stores.campaigns.remove_draft(principal.account_id, campaign_id):
            return
        if await stores.campaigns.find(principal.account_id, campaign_id) is None:
            raise campaign_unknown()
        raise ConflictError("state_conflict", "only a draft can be removed: cancel it")


def _actions(router: APIRouter, stores: Stores, change: ChangeCampaigns, depends: Any) -> None:
    user = Annotated[Principal, depends]

    @router.post("/{campaign_id}:start")
    async def start_campaign(campaign_id: CampaignId, principal: user) -> CampaignView:
        """Run it now, or when its time comes."""
        return await _shown(stores, await change.start(principal.account, campaign_id))

    @router.post("/{campaign_id}:quote")
    async def quote_campaign(campaign_id: CampaignId, response: Response, principal: user) -> QuoteView:
        """Recipients, parts and the longest text, by writing every text; 202 while it counts: ask again."""
        quote = await change.quote(principal.account, campaign_id)
        response.status_code = 200 if quote.is_ready else 202
        return QuoteView.of(quote)

    @router.post("/{campaign_id}:test", status_code=202)
    async def test_campaign(campaign_id: CampaignId, given: TestSend, principal: user) -> TestView:
        """Send its text to one's own numbers."""
        values = {name.casefold(): value for name, value in given.variables.items()}
        recipient = Recipient(number="", name=values.get("name", ""), language=given.language, attributes=values)
        messages = await change.test(principal.account, campaign_id, given.to, recipient)
        return TestView(
            ids=[str(message.id) for message in messages], text=messages[0].text or "", parts=messages[0].parts
        )

    @router.post("/{campaign_id}:{action}")
    async def act_on_campaign(
        campaign_id: CampaignId, action: Literal["pause", "resume", "cancel"], principal: user
    ) -> CampaignView:
        """Pause, resume or cancel. After a pause or a cancellation was answered, nothing more is said."""
        return await _shown(stores, await change.act(principal.account_id, campaign_id, action))


def _progress(router: APIRouter, stream: ProgressStream, depends: Any) -> None:
    user = Annotated[Principal, depends]

    @router.get("/{campaign_id}/progress", response_class=StreamingResponse)
    async def stream_progress(campaign_id: CampaignId, principal: user) -> StreamingResponse:
        """Its counts as they change: server-sent events `progress`, and `end` when nothing is awaited any more."""
        if stream.is_full:
            raise overloaded(30, "Too many readers are connected.")
        if await stream.counts(principal.account_id, campaign_id) is None:
            raise campaign_unknown()
        return StreamingResponse(
            stream.events(principal.account_id, campaign_id),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
        )


def _fields(given: NewCampaign | CampaignPatch) -> dict[str, Any]:
    """What was given, its audience as the record that goes to contacts."""
    fields = given.model_dump(exclude_unset=True)
    if "audience" in fields:
        fields["audience"] = convert(fields["audience"], Audience)
    return fields
