"""From a page of the audience to messages: rendered, counted, refused where a value is missing, put into batches.

A batch is what is said at once: the messages of a page that may go out at the same moment.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from campaign_scheduler.domain.campaign import Campaign
from campaign_scheduler.domain.legal import Opening, next_open
from campaign_scheduler.domain.placeholders import ValueMissing
from campaign_scheduler.domain.pricing import UNPRICED, Pricing
from campaign_scheduler.domain.texts import Texts, Written
from carillon.events.audience import Recipient
from carillon.events.message import Accepted
from carillon.sms.segments import ContentInvalid

NO_PROFILE: Final = "none"
_YES: Final = frozenset({"1", "true", "yes", "oui", "x"})


class Batch(Struct, kw_only=True):
    """Messages that may be said from `at` on (ms); `rule` deferred them."""

    at: int
    rule: str | None = None
    messages: list[Accepted]


class Page(Struct, kw_only=True):
    """`recipients` are all: messages, those suppressed, and `refused` (number, code) that have no text."""

    recipients: int
    suppressed: int
    refused: list[tuple[str, str]]
    parts: int
    first_id: int
    batches: list[Batch]

    @property
    def messages(self) -> int:
        """How many there are."""
        return sum(len(batch.messages) for batch in self.batches)


class ToSend(NamedTuple):
    """A recipient's text and its price; `micros` None: it has none, and its account does not need one."""

    recipient: Recipient
    written: Written
    micros: int | None


class _Counted(Struct):
    suppressed: int
    refused: list[tuple[str, str]]
    written: list[ToSend]


def write_all(texts: Texts, recipients: Sequence[Recipient], pricing: Pricing) -> _Counted:
    """The text of each recipient that may be written to and can be: page and quote are counted by this alone."""
    counted = _Counted(0, [], [])
    for recipient in recipients:
        if recipient.suppressed is not None:
            counted.suppressed += 1
            continue
        try:
            written = texts.write(recipient)
        except (ValueMissing, ContentInvalid) as error:
            counted.refused.append((recipient.number, error.code))
            continue
        micros = pricing.price(recipient.number, written.parts)
        if micros is None and pricing.is_prepaid:
            counted.refused.append((recipient.number, "no_price"))
        else:
            counted.written.append(ToSend(recipient, written, micros))
    return counted


def page_of(
    campaign: Campaign,
    texts: Texts,
    recipients: Sequence[Recipient],
    run: Callable[[int], int],
    now_ms: int,
    pricing: Pricing = UNPRICED,
) -> Page:
    """Make the messages of a page. `run` reserves so many consecutive ids and gives the first."""
    counted = write_all(texts, recipients, pricing)
    next_id = first_id = run(len(counted.written)) if counted.written else 0
    batches: list[Batch] = []
    for opening, some in _by_opening(campaign, counted.written, now_ms):
        rule = opening.rule
        messages = [_message(campaign, each, message_id, now_ms, rule) for message_id, each in enumerate(some, next_id)]
        next_id += len(messages)
        batches.append(Batch(at=opening.at_ms, rule=rule, messages=messages))
    return Page(
        recipients=len(recipients),
        suppressed=counted.suppressed,
        refused=counted.refused,
        parts=sum(each.written.parts for each in counted.written),
        first_id=first_id,
        batches=batches,
    )


def _by_opening(campaign: Campaign, written: list[ToSend], now_ms: int) -> list[tuple[Opening, list[ToSend]]]:
    """Who may be written to at the same moment, the earliest first."""
    if campaign.profile == NO_PROFILE:
        return [(Opening(now_ms, None), written)] if written else []
    groups: dict[Opening, list[ToSend]] = {}
    for each in written:
        groups.setdefault(_opening_of(campaign, each.recipient, now_ms), []).append(each)
    return sorted(groups.items(), key=lambda item: (item[0].at_ms, item[0].rule or ""))


def _opening_of(campaign: Campaign, recipient: Recipient, now_ms: int) -> Opening:
    in_alsace = campaign.alsace_moselle or lives_in_alsace(recipient)
    return next_open(campaign.profile, recipient.number, now_ms, alsace_moselle=in_alsace)


def lives_in_alsace(recipient: Recipient) -> bool:
    """Whether the contact says so: an attribute `alsace_moselle` (or `Alsace-Moselle`) that is set to yes."""
    return any(
        key.casefold().replace("-", "_") == "alsace_moselle" and value.strip().casefold() in _YES
        for key, value in recipient.attributes.items()
    )


def in_time(batch: Batch, campaign: Campaign, alsatians: frozenset[str], now_ms: int) -> list[Batch]:
    """The batch as it can be said now: itself, or what is open, and what has to wait again, by its moment.

    `alsatians` are the recipients that live by the calendar of Alsace-Moselle.
    """
    if campaign.profile == NO_PROFILE:
        return [batch]
    groups: dict[Opening, list[Accepted]] = {}
    for message in batch.messages:
        in_alsace = campaign.alsace_moselle or message.number in alsatians
        opening = next_open(campaign.profile, message.number, now_ms, alsace_moselle=in_alsace)
        groups.setdefault(opening, []).append(message)
    split: list[Batch] = []
    for opening, messages in sorted(groups.items(), key=lambda item: item[0].at_ms):
        if opening.at_ms <= now_ms:
            split.append(Batch(at=batch.at, rule=batch.rule, messages=messages))
        else:
            deferred = [replace(message, rule=opening.rule) for message in messages]
            split.append(Batch(at=opening.at_ms, rule=opening.rule, messages=deferred))
    return split


def timed(messages: Sequence[Accepted], said_at_ms: int) -> list[Accepted]:
    """Messages that waited are accepted, and begin to grow old, when they are said."""
    return [
        replace(
            message,
            accepted_at=said_at_ms,
            expires_at=message.expires_at + said_at_ms - message.accepted_at if message.expires_at else None,
        )
        for message in messages
    ]


def _message(campaign: Campaign, to_send: ToSend, message_id: int, now_ms: int, rule: str | None) -> Accepted:
    written = to_send.written
    return Accepted(
        id=message_id,
        account=campaign.account,
        number=to_send.recipient.number,
        sender=campaign.sender,
        sender_type=campaign.sender_type,
        lane="bulk",
        encoding=written.encoding,
        parts=written.parts,
        text=written.text,
        accepted_at=now_ms,
        expires_at=now_ms + campaign.validity_s * 1000 if campaign.validity_s else None,
        on_ambiguous=campaign.on_ambiguous,
        campaign=campaign.id,
        price_micros=to_send.micros,
        rule=rule,
    )
