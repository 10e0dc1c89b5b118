"""What the API shows."""

from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, Field

from campaign_scheduler.domain.campaign import Campaign, CampaignState, ContentClass
from campaign_scheduler.domain.pricing import Pricing
from campaign_scheduler.domain.progress import Pages, progress_of
from campaign_scheduler.domain.template import Template
from campaign_scheduler.domain.texts import Written
from campaign_scheduler.store.quotes import Quote
from carillon.runtime.clock import rfc3339
from carillon.sms.explain import Explanation


class Verdict(BaseModel):
    """How a text goes out: the character that forces UCS-2, what it costs, and the cheaper text."""

    encoding: str
    parts: int
    units: int
    units_left: int
    offenders: list[dict[str, Any]]
    cheaper: str | None
    cheaper_parts: int | None

    @classmethod
    def of(cls, explanation: Explanation) -> "Verdict":
        """As the segmenter explains it."""
        shown = msgspec.to_builtins(explanation)
        return cls(**{name: shown[name] for name in cls.model_fields})


class TemplateView(BaseModel):
    """A template; `placeholders` that are `needed` have no default."""

    id: str
    name: str
    language: str
    contents: dict[str, str]
    placeholders: list[str]
    needed: list[str]
    verdicts: Annotated[dict[str, Verdict], Field(description="by language, of the text with its defaults")]
    created_at: str
    changed_at: str


class PreviewView(BaseModel):
    """One text as it would go out."""

    text: str
    encoding: str
    parts: int
    price_micros: Annotated[int | None, Field(description="to the contact's number; null: it has no price")] = None
    currency: str | None = None

    @classmethod
    def of(cls, written: Written) -> "PreviewView":
        """As it was written, without a price: that depends on where it goes."""
        return cls(**written._asdict())

    @classmethod
    def priced(cls, written: Written, number: str, pricing: Pricing) -> "PreviewView":
        """As it would go to a number."""
        micros = pricing.price(number, written.parts)
        return cls(**written._asdict(), price_micros=micros, currency=None if micros is None else pricing.currency)


class ProgressView(BaseModel):
    """`recipients = sent + suppressed + refused + cancelled + pending`, whenever it is asked."""

    state: CampaignState
    recipients: int
    sent: Annotated[int, Field(description="taken by an operator, or perhaps (ambiguous)")]
    delivered: int
    undelivered: int
    lost: int
    ambiguous: int
    awaiting: Annotated[int, Field(description="of those sent, how many have no last word yet")]
    suppressed: int
    refused: int
    cancelled: int
    pending: int
    parts: int
    is_exact: Annotated[bool, Field(description="false: the audience is still being read")]


class CampaignView(ProgressView):
    """A campaign with its counts."""

    id: str
    name: str
    text: str | None
    template: str | None
    sender: str
    audience: dict[str, Any]
    start_at: str | None
    timezone: str
    rrule: str | None
    next_at: str | None
    pause_reason: Annotated[str | None, Field(description="why it paused by itself: credit_exhausted")]
    rate_per_minute: int | None
    validity_s: int | None
    profile: str
    alsace_moselle: bool
    content_class: ContentClass
    parent: Annotated[str | None, Field(description="the recurring campaign that it is an occurrence of")]
    occurrences: int
    created_at: str
    changed_at: str
    started_at: str | None
    ended_at: str | None

    @classmethod
    def of(cls, campaign: Campaign, pages: Pages) -> "CampaignView":
        """The numbers of its audience are counted, not listed."""
        audience = msgspec.to_builtins(campaign.audience)
        if "numbers" in audience:
            audience["numbers"] = len(audience["numbers"])
        same = (
            "id", "name", "text", "template", "sender", "timezone", "rrule", "rate_per_minute", "validity_s", "profile",
            "alsace_moselle", "content_class", "parent", "occurrences", "pause_reason",
        )  # fmt: skip
        times = ("start_at", "next_at", "created_at", "changed_at", "started_at", "ended_at")
        shown: dict[str, Any] = counts_of(campaign, pages)
        shown |= {name: getattr(campaign, name) for name in same}
        shown |= {name: _time(getattr(campaign, name)) for name in times}
        return cls(**shown, audience=audience)


class DeferredView(BaseModel):
    """Messages that wait for a window of the law."""

    rule: str
    until: str
    messages: int


class RefusedView(BaseModel):
    """A recipient that gets no message, since no text could be written."""

    number: str
    code: str


class FullCampaignView(CampaignView):
    """With what waits for a window, and the first recipients without a text."""

    deferred: list[DeferredView]
    refused_numbers: list[RefusedView]


class QuoteView(BaseModel):
    """What it would come to: `is_ready` false while it is still being counted. No price without a price list.

    A prepaid account writes to nobody without a price: those are refused (`no_price`), and unpriced.
    """

    id: str
    is_ready: bool
    recipients: int
    messages: int
    suppressed: int
    refused: Annotated[dict[str, int], Field(description="recipients without a text, by code")]
    refused_numbers: list[RefusedView]
    parts: int
    ucs2: Annotated[int, Field(description="messages that need UCS-2")]
    longest_parts: Annotated[int, Field(description="the worst case of the placeholders")]
    longest_text: str
    samples: list[str]
    price_micros: Annotated[int | None, Field(description="of all messages together, at this moment's prices")]
    longest_micros: Annotated[int | None, Field(description="if every message took longest_parts")]
    currency: Annotated[str | None, Field(description="ISO 4217")]
    unpriced: Annotated[int, Field(description="recipients whose destination has no price")]
    unpriced_numbers: Annotated[list[str], Field(description="the first of them")]

    @classmethod
    def of(cls, quote: Quote) -> "QuoteView":
        """As far as it was counted."""
        counts = msgspec.to_builtins(quote.counts)
        refused = [RefusedView(number=number, code=code) for number, code in counts.pop("refused_numbers")]
        del counts["part_micros"]
        counts["currency"] = quote.counts.currency or None
        counts["longest_micros"] = quote.counts.longest_micros
        if not quote.counts.currency:
            counts["price_micros"] = counts["longest_micros"] = None
        return cls(id=quote.id, is_ready=quote.is_ready, refused_numbers=refused, **counts)


class TestView(BaseModel):
    """Ids of the messages of a test."""

    ids: list[str]
    text: str
    parts: int


def counts_of(campaign: Campaign, pages: Pages) -> dict[str, Any]:
    """State and counts."""
    progress = progress_of(
        pages,
        estimate=campaign.estimate,
        is_whole=campaign.is_whole,
        is_cancelled=campaign.state == "cancelled",
        saying=sum(each[2] for each in campaign.saying),
    )
    return {"state": campaign.state, **msgspec.structs.asdict(progress)}


def template_view(
    template: Template, verdicts: dict[str, Explanation], names: list[str], needed: list[str]
) -> TemplateView:
    """A template with what the segmenter says."""
    return TemplateView(
        id=template.id,
        name=template.name,
        language=template.language,
        contents=template.contents,
        placeholders=names,
        needed=needed,
        verdicts={language: Verdict.of(explanation) for language, explanation in verdicts.items()},
        created_at=rfc3339(template.created_at),
        changed_at=rfc3339(template.changed_at),
    )


def _time(millis: int | None) -> str | None:
    return None if millis is None else rfc3339(millis)
