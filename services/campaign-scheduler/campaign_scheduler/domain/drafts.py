"""From what a person asks for to a draft, and from a draft to what is frozen when it starts."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from campaign_scheduler.domain.campaign import Campaign
from campaign_scheduler.domain.errors import ConflictError, InvalidError
from campaign_scheduler.domain.legal import PROFILES
from campaign_scheduler.domain.page import NO_PROFILE
from campaign_scheduler.domain.recurrence import moment_of, occurrence_after, zone_of
from campaign_scheduler.domain.template import Template, check_text
from carillon.events.account import AccountChanged
from carillon.events.audience import Audience
from carillon.sms.numbers import NumberInvalid, recipient
from carillon.sms.sender import SenderInvalid, guess_sender

ONE_LANGUAGE: Final = "*"  # of a text that is written in the campaign itself
_PLAIN: Final = ("name", "text", "template", "rate_per_minute", "validity_s", "content_class", "alsace_moselle")


def with_fields(campaign: Campaign, fields: Mapping[str, Any], account: AccountChanged) -> Campaign:
    """The draft with these fields, each checked; what depends on two fields is checked last."""
    changed = replace(campaign, **{name: fields[name] for name in _PLAIN if name in fields})
    if fields.get("text") is not None and "template" not in fields:
        changed = replace(changed, template=None)
    if fields.get("template") is not None and "text" not in fields:
        changed = replace(changed, text=None)
    if "sender" in fields:
        changed = _with_sender(changed, fields["sender"], account)
    if "audience" in fields:
        changed = replace(changed, audience=_checked_audience(fields["audience"], account.country))
    if "profile" in fields:
        changed = _with_profile(changed, fields["profile"], "content_class" in fields)
    return _checked(_with_times(changed, fields))


def frozen(campaign: Campaign, template: Template | None, account: AccountChanged, stop_mention: str) -> Campaign:
    """With the contents, and what the account says, as they are now: nothing of it changes once it runs."""
    if campaign.text is not None:
        contents, language = {ONE_LANGUAGE: campaign.text}, ONE_LANGUAGE
    elif template is not None:
        contents, language = template.contents, template.language
    else:
        raise InvalidError("template_unknown", "the template is no more", "template")
    audience = campaign.audience
    if not (audience.everyone or audience.groups or audience.numbers or audience.file or audience.attributes):
        raise InvalidError(
            "audience_empty", "nobody is named: everyone, groups, numbers, file or attributes", "audience"
        )
    return replace(
        campaign,
        contents=contents,
        language=language,
        stop_mention=stop_mention if campaign.content_class == "marketing" else "",
        country=account.country,
        on_ambiguous=account.on_ambiguous,
    )


def with_rate(campaign: Campaign, rate_per_minute: int | None) -> Campaign:
    """The one thing that may change while it runs."""
    if campaign.state in ("finished", "cancelled"):
        raise ConflictError("state_conflict", f"the campaign is {campaign.state}")
    return replace(campaign, rate_per_minute=rate_per_minute)


def checked_numbers(numbers: list[str], country: str, field: str) -> list[str]:
    """International digits, each once; `InvalidError` names the first place that is no mobile number."""
    found: dict[str, None] = {}
    for place, number in enumerate(numbers):
        try:
            found[recipient(number, country)] = None
        except NumberInvalid as error:
            raise InvalidError(error.code, "a mobile number, 8 to 15 digits", f"{field}/{place}") from error
    return list(found)


def _with_sender(campaign: Campaign, sender: str | None, account: AccountChanged) -> Campaign:
    if sender is None:
        return replace(campaign, sender=account.default_sender, sender_type=account.default_sender_type)
    try:
        guessed = guess_sender(sender)
    except SenderInvalid as error:
        raise InvalidError(error.code, str(error), "sender") from error
    return replace(campaign, sender=guessed.value, sender_type=guessed.kind)


def _checked_audience(audience: Audience, country: str) -> Audience:
    return replace(audience, numbers=checked_numbers(audience.numbers, country, "audience/numbers"))


def _with_profile(campaign: Campaign, profile: str, is_class_given: bool) -> Campaign:
    if profile not in PROFILES:
        raise InvalidError("profile_unknown", f"one of {', '.join(PROFILES)}", "profile")
    if is_class_given:
        return replace(campaign, profile=profile)
    return replace(campaign, profile=profile, content_class="alert" if profile == NO_PROFILE else "marketing")


def _with_times(campaign: Campaign, fields: Mapping[str, Any]) -> Campaign:
    if fields.get("timezone") is not None:
        zone_of(fields["timezone"])
        campaign = replace(campaign, timezone=fields["timezone"])
    if "start_at" in fields:
        text = fields["start_at"]
        campaign = replace(campaign, start_at=moment_of(text, campaign.timezone) if text is not None else None)
    if "rrule" in fields:
        campaign = replace(campaign, rrule=fields["rrule"])
    return campaign


def _checked(campaign: Campaign) -> Campaign:
    if (campaign.text is None) == (campaign.template is None):
        raise InvalidError("content_not_one", "exactly one of text and template", "text")
    if campaign.text is not None:
        check_text(campaign.text, "text")
    if campaign.rrule is not None:
        if campaign.start_at is None:
            raise InvalidError("start_missing", "a recurring campaign has its first time in start_at", "start_at")
        occurrence_after(campaign.rrule, campaign.start_at, campaign.timezone, campaign.start_at)
    return campaign
