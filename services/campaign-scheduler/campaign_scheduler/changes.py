"""What people do with campaigns. Each change is compared with the version that was read and tried again."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog
from msgspec.structs import replace

from campaign_scheduler.domain.campaign import Action, Campaign, acted, started
from campaign_scheduler.domain.drafts import checked_numbers, frozen, with_fields, with_rate
from campaign_scheduler.domain.errors import ConflictError, InvalidError, UnknownError
from campaign_scheduler.domain.placeholders import ValueMissing
from campaign_scheduler.domain.texts import Texts
from campaign_scheduler.quoting import Quoting
from campaign_scheduler.runners import Runners
from campaign_scheduler.store import Stores
from campaign_scheduler.store.quotes import Definition, Quote
from carillon.bus import Bus
from carillon.events.account import AccountChanged
from carillon.events.audience import Audience, Recipient
from carillon.events.catalogue import MESSAGE_ACCEPTED
from carillon.events.message import Accepted
from carillon.mongo import NodeLease
from carillon.runtime.clock import Clock
from carillon.runtime.ids import new_id
from carillon.sms.segments import ContentInvalid

log = structlog.get_logger(__name__)

_ATTEMPTS: Final = 30
_SETTLE_S: Final = 3.0
_QUOTE_S: Final = 20.0
_QUOTE_FRESH_MS: Final = 600_000  # a quote that is not older stands for its audience when the campaign starts
_ALIVE: Final = ("name", "rate_per_minute")


class ChangeCampaigns:
    """Every method names the account; `UnknownError` for what is not its own."""

    def __init__(
        self,
        stores: Stores,
        quoting: Quoting,
        runners: Runners,
        bus: Bus,
        ids: NodeLease,
        clock: Clock,
        *,
        stop_mention: str,
    ) -> None:
        self._campaigns = stores.campaigns
        self._templates = stores.templates
        self._quotes = stores.quotes
        self._quoting = quoting
        self._runners = runners
        self._bus = bus
        self._ids = ids
        self._clock = clock
        self._stop_mention = stop_mention

    async def add(self, account: AccountChanged, fields: Mapping[str, Any]) -> Campaign:
        """A new draft."""
        now_ms = self._clock.now_ms()
        blank = Campaign(
            id=new_id("cmp"),
            account=account.id,
            name=fields["name"],
            sender=account.default_sender,
            sender_type=account.default_sender_type,
            audience=Audience(),
            created_at=now_ms,
            changed_at=now_ms,
        )
        campaign = with_fields(blank, fields, account)
        if campaign.template is not None:
            await self._check_template(account.id, campaign.template)
        await self._campaigns.add(campaign)
        log.info("campaign.added", campaign=campaign.id)
        return campaign

    async def change(self, account: AccountChanged, campaign_id: str, fields: Mapping[str, Any]) -> Campaign:
        """A draft may change in everything, another in its name and its rate."""

        def changed(campaign: Campaign) -> Campaign:
            if campaign.state == "draft":
                campaign = with_fields(campaign, fields, account)
            elif set(fields) <= set(_ALIVE):
                campaign = with_rate(campaign, fields.get("rate_per_minute", campaign.rate_per_minute))
                campaign = replace(campaign, name=fields.get("name", campaign.name))
            else:
                raise ConflictError("state_conflict", "only its name and its rate may change once it is no draft")
            return replace(campaign, version=campaign.version + 1, changed_at=self._clock.now_ms())

        if fields.get("template") is not None:
            await self._check_template(account.id, fields["template"])
        campaign = await self._apply(account.id, campaign_id, changed)
        self._runners.wake(campaign_id)
        return campaign

    async def start(self, account: AccountChanged, campaign_id: str) -> Campaign:
        """Freeze it and let it run, now or when its time comes; who has no text for somebody is told before.

        Raises `InvalidError` where a value is missing and `ConflictError` while a large audience is still counted.
        """
        campaign = await self._own(account.id, campaign_id)
        if campaign.state in ("running", "scheduled"):
            return campaign
        if account.prepaid:
            raise ConflictError("prepaid_unavailable", "campaigns are not charged to credit: the account is prepaid")
        ready = await self._frozen(campaign, account)
        quote: Quote | None = None
        if campaign.state == "draft" and Texts(ready.contents, ready.language).needed:
            campaign, quote = await self._complete_quote(campaign, ready)
            _check_values(quote)
            ready = replace(ready, version=campaign.version)
        begun = started(replace(ready, quote=quote.id if quote else None), self._clock.now_ms())
        if not await self._campaigns.replace(begun, expected=campaign.version):
            raise ConflictError("busy", "the campaign was changed meanwhile: look at it and start it again")
        log.info("campaign.started", campaign=campaign_id, state=begun.state)
        if quote is None and begun.rrule is None:
            await self._quoting.estimate(begun)
        if begun.state == "running":
            self._runners.begin(campaign_id)
        return await self._own(account.id, campaign_id)

    async def act(self, account_id: str, campaign_id: str, action: Action) -> Campaign:
        """Pause, resume or cancel. What was decided before is said when this returns; nothing is, after a pause."""
        campaign = await self._apply(account_id, campaign_id, lambda one: acted(one, action, self._clock.now_ms()))
        log.info("campaign.acted", campaign=campaign_id, action=action, state=campaign.state)
        self._runners.wake(campaign_id)
        if campaign.state == "running":
            self._runners.begin(campaign_id)
            return campaign
        waited_s = 0.0
        while campaign.saying and waited_s < _SETTLE_S:
            await asyncio.sleep(0.02)
            waited_s += 0.02
            campaign = await self._own(account_id, campaign_id)
        return campaign

    async def quote(self, account: AccountChanged, campaign_id: str) -> Quote:
        """Count the audience and its texts as they are now; `ConflictError` while it takes its time: ask again."""
        campaign = await self._own(account.id, campaign_id)
        ready = await self._frozen(campaign, account) if campaign.state == "draft" else campaign
        known = await self._quote_of(campaign, ready)
        if known is None or (known.is_ready and campaign.state == "draft"):
            known = await self._quoting.begin(ready)
            await self._apply(account.id, campaign_id, lambda one: _with_quote(one, known.id))
        return await self._quoting.ready(known.id, _QUOTE_S) or known

    async def test(
        self, account: AccountChanged, campaign_id: str, numbers: list[str], recipient: Recipient
    ) -> list[Accepted]:
        """Send the text to one's own numbers, with these values; it counts in no campaign."""
        campaign = await self._frozen(await self._own(account.id, campaign_id), account)
        texts = Texts(campaign.contents, campaign.language, campaign.stop_mention)
        try:
            written = texts.write(recipient)
        except (ValueMissing, ContentInvalid) as error:
            raise InvalidError(error.code, str(error), "variables") from error
        now_ms = self._clock.now_ms()
        to = checked_numbers(numbers, account.country, "to")
        messages = [
            Accepted(
                id=self._ids.next(),
                account=account.id,
                number=number,
                sender=campaign.sender,
                sender_type=campaign.sender_type,
                lane="urgent",
                encoding=written.encoding,
                parts=written.parts,
                text=written.text,
                accepted_at=now_ms,
                on_ambiguous=account.on_ambiguous,
                client_ref=f"test {campaign.id}",
            )
            for number in to
        ]
        await self._bus.publish(MESSAGE_ACCEPTED, messages, lane="urgent")
        return messages

    async def _complete_quote(self, campaign: Campaign, ready: Campaign) -> tuple[Campaign, Quote]:
        """The draft, which knows its quote, and that quote: one that was asked for before, or a new one."""
        known = await self._quote_of(campaign, ready)
        if known is None or self._is_old(known):
            known = await self._quoting.begin(ready)
            draft = _with_quote(campaign, known.id)
            if not await self._campaigns.replace(draft, expected=campaign.version):
                raise ConflictError("busy", "the campaign was changed meanwhile: look at it and start it again")
            campaign = draft
        found = await self._quoting.ready(known.id, _QUOTE_S)
        if found is None:
            detail = "the audience is large and each text needs its values: it is being counted, start it again soon"
            raise ConflictError("quote_running", detail)
        return campaign, found

    async def _quote_of(self, campaign: Campaign, ready: Campaign) -> Quote | None:
        """The campaign's quote, if it is one of what the campaign is now."""
        known = await self._quotes.get(campaign.quote) if campaign.quote else None
        is_same = known is not None and (campaign.state != "draft" or known.definition == Definition.of(ready))
        return known if is_same else None

    def _is_old(self, quote: Quote) -> bool:
        """Whether contacts may have changed: long ago, or since a person was told that values are missing."""
        age_ms = self._clock.now_ms() - quote.asked_at
        return quote.is_ready and (age_ms > _QUOTE_FRESH_MS or "value_missing" in quote.counts.refused)

    async def _frozen(self, campaign: Campaign, account: AccountChanged) -> Campaign:
        template = await self._templates.find(account.id, campaign.template) if campaign.template else None
        return frozen(campaign, template, account, self._stop_mention)

    async def _check_template(self, account_id: str, template: str) -> None:
        if await self._templates.find(account_id, template) is None:
            raise InvalidError("template_unknown", "the account has no such template", "template")

    async def _own(self, account_id: str, campaign_id: str) -> Campaign:
        campaign = await self._campaigns.find(account_id, campaign_id)
        if campaign is None:
            raise campaign_unknown()
        return campaign

    async def _apply(self, account_id: str, campaign_id: str, change: Callable[[Campaign], Campaign]) -> Campaign:
        for _ in range(_ATTEMPTS):
            campaign = await self._own(account_id, campaign_id)
            changed = change(campaign)
            if changed is campaign or await self._campaigns.replace(changed, expected=campaign.version):
                return changed
            await asyncio.sleep(0.01)
        raise ConflictError("busy", "the campaign is being changed by many at once: try again")


def campaign_unknown() -> UnknownError:
    """No campaign of the account has this id."""
    return UnknownError("campaign_unknown", "no campaign has this id")


def _with_quote(campaign: Campaign, quote_id: str) -> Campaign:
    return replace(campaign, quote=quote_id, version=campaign.version + 1)


def _check_values(quote: Quote) -> None:
    missing = quote.counts.refused.get("value_missing", 0)
    if missing:
        detail = (
            f"{missing} of {quote.counts.recipients} recipients lack a value: give a default, as in {{name|client}}"
        )
        raise InvalidError("value_missing", detail, "text")
