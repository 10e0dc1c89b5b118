"""A campaign: what it is, and which state may follow which. `saying` and what is below it is the runner's."""

from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from campaign_scheduler.domain.errors import ConflictError
from carillon.events.audience import Audience
from carillon.events.message import OnAmbiguous, SenderType

CampaignState = Literal["draft", "scheduled", "running", "paused", "finished", "cancelled"]
ContentClass = Literal["marketing", "alert"]
Action = Literal["pause", "resume", "cancel"]

ENDED: Final[frozenset[CampaignState]] = frozenset({"finished", "cancelled"})
_FROM: Final[dict[Action, frozenset[CampaignState]]] = {
    "pause": frozenset({"scheduled", "running"}),
    "resume": frozenset({"paused"}),
    "cancel": frozenset({"draft", "scheduled", "running", "paused"}),
}
_TO: Final[dict[Action, CampaignState]] = {"pause": "paused", "cancel": "cancelled"}


class Campaign(Struct, frozen=True, kw_only=True):
    """Times are milliseconds since 1970. `contents` (by language) are frozen when the campaign leaves `draft`."""

    id: str
    account: str
    name: str
    state: CampaignState = "draft"
    version: int = 1  # of what people change
    text: str | None = None
    template: str | None = None
    contents: dict[str, str] = {}
    language: str = ""
    stop_mention: str = ""
    sender: str = ""
    sender_type: SenderType = "alphanumeric"
    audience: Audience
    profile: str = "none"
    alsace_moselle: bool = False  # its two extra holidays count for every French recipient
    content_class: ContentClass = "alert"
    rate_per_minute: int | None = None
    validity_s: int | None = None
    on_ambiguous: OnAmbiguous = "hold"
    country: str = ""
    start_at: int | None = None
    timezone: str = "UTC"
    rrule: str | None = None
    next_at: int | None = None  # of a scheduled one: when it starts, or comes again
    paused_from: CampaignState | None = None
    pause_reason: str | None = None  # when it paused by itself: credit_exhausted
    parent: str | None = None  # the recurring campaign that this is one occurrence of
    occurrences: int = 0
    quote: str | None = None
    created_at: int
    changed_at: int
    started_at: int | None = None
    ended_at: int | None = None

    saying: tuple[tuple[int, int, int], ...] = ()  # (page, batch, messages) that were decided, perhaps said
    saying_at: int = 0
    next_say_at: int = 0
    fence: int = 0  # token of the lease that last moved it
    pages: int = 0  # how many are there
    after: str = ""  # the last number of the last of them
    is_whole: bool = False  # the last page of the audience is there
    is_said: bool = False  # and all of it was said
    estimate: int = 0  # recipients, as they were counted beforehand


def acted(campaign: Campaign, action: Action, now_ms: int) -> Campaign:
    """The campaign after a person's word; itself where that changes nothing; `ConflictError` where it can't be."""
    target = _target(campaign, action)
    if campaign.state == target and action != "resume":
        return campaign
    if action == "resume" and campaign.state in ("running", "scheduled"):
        return campaign
    if campaign.state not in _FROM[action]:
        raise ConflictError("state_conflict", f"a campaign that is {campaign.state} can't be {_PAST[action]}")
    return replace(
        campaign,
        state=target,
        paused_from=campaign.state if action == "pause" else None,
        pause_reason=None,
        ended_at=now_ms if target == "cancelled" else None,
        changed_at=now_ms,
        version=campaign.version + 1,
    )


_PAST: Final[dict[Action, str]] = {"pause": "paused", "resume": "resumed", "cancel": "cancelled"}


def _target(campaign: Campaign, action: Action) -> CampaignState:
    if action == "resume":
        return campaign.paused_from or "running"
    return _TO[action]


def started(campaign: Campaign, now_ms: int) -> Campaign:
    """From draft: running, or scheduled when its time is still to come. Contents were frozen by the caller."""
    if campaign.state != "draft":
        raise ConflictError("state_conflict", f"a campaign that is {campaign.state} can't be started")
    fields = {"changed_at": now_ms, "version": campaign.version + 1}
    if campaign.rrule is not None or (campaign.start_at is not None and campaign.start_at > now_ms):
        return replace(campaign, state="scheduled", next_at=campaign.start_at or now_ms, **fields)
    return replace(campaign, state="running", started_at=now_ms, **fields)


def occurrence_of(parent: Campaign, number: int, now_ms: int) -> Campaign:
    """One occurrence of a recurring campaign: a campaign of its own, with an id that is always the same."""
    return replace(
        parent,
        id=f"{parent.id}.{number}",
        name=f"{parent.name} #{number}",
        state="running",
        version=1,
        rrule=None,
        start_at=parent.next_at,
        next_at=None,
        parent=parent.id,
        occurrences=0,
        quote=None,
        estimate=0,
        created_at=now_ms,
        changed_at=now_ms,
        started_at=now_ms,
    )
