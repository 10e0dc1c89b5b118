"""Every event of Carillon: its name, its record, who says it, who listens, and an example.

Routing key: `<event name>` plus, for an event with lanes, `.<lane>`; `message.routed.v1` adds its operator too.
"""

from dataclasses import dataclass

from carillon.events.account import AccountChanged, AccountCopyRequested, ApiKey, Callback, DestinationHeld, Door
from carillon.events.audience import (
    Audience,
    AudiencePage,
    AudienceRequested,
    OptedIn,
    OptedOut,
    Recipient,
    SuppressionCopyRequested,
    SuppressionsCopied,
)
from carillon.events.base import Lane, Record
from carillon.events.credit import LeaseAnswered, LeaseEnded, LeaseRequested
from carillon.events.message import Accepted, Bounced, Deferred, Refused, Routed, StatusChanged, Submitted
from carillon.events.prices import PriceCopyRequested, PriceListChanged, PriceRate
from carillon.events.report import InboundAttributed, InboundReceived, ReportReceived

# Services that keep a copy of the accounts.
COPIES_OF_ACCOUNTS = ("ingest", "dispatcher", "receipt", "contacts", "campaign-scheduler")
# Services that keep a copy of the suppressions.
COPIES_OF_SUPPRESSIONS = ("dispatcher", "ingest")

# Services that keep a copy of the price lists.
COPIES_OF_PRICES = ("ingest", "campaign-scheduler")

# Services that accept messages, and spend the credit of prepaid accounts.
SPENDERS = ("ingest", "campaign-scheduler")


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """One line of the catalogue. Nobody but `said_by` may publish it: one service, or one for each way in."""

    name: str
    record: type[Record]
    said_by: tuple[str, ...]
    heard_by: tuple[str, ...]
    has_lanes: bool
    example: Record

    def key(self, lane: Lane | None = None, place: str | None = None) -> str:
        """Routing key of this event for a lane and, for `message.routed`, an operator."""
        return ".".join(part for part in (self.name, place, lane) if part)


_NOW = 1_795_000_002_000
_ACCEPTED = Accepted(
    id=247_712_361_308_164_096, account="acc_demo", number="33612345678", sender="Carillon", lane="bulk",
    encoding="gsm", parts=1, text="Hello", accepted_at=1_795_000_000_000, door="demo",
)  # fmt: skip

MESSAGE_ACCEPTED = Event(
    "message.accepted.v1", Accepted, ("ingest", "campaign-scheduler"), ("dispatcher", "receipt", "accounts"), True,
    _ACCEPTED,
)  # fmt: skip
MESSAGE_DEFERRED = Event(
    "message.deferred.v1", Deferred, ("ingest",), ("campaign-scheduler", "receipt"), True,
    Deferred(message=_ACCEPTED, send_at=1_795_000_060_000),
)  # fmt: skip
MESSAGE_ROUTED = Event(
    "message.routed.v1",
    Routed,
    ("dispatcher",),
    ("dispatcher",),
    True,
    Routed(message=_ACCEPTED, operators=["north", "south"]),
)
MESSAGE_SUBMITTED = Event(
    "message.submitted.v1", Submitted, ("dispatcher",), ("receipt",), True,
    Submitted(id=_ACCEPTED.id, account="acc_demo", operator="north", ref="north-1", number=_ACCEPTED.number, at=_NOW),
)  # fmt: skip
MESSAGE_REFUSED = Event(
    "message.refused.v1", Refused, ("dispatcher", "campaign-scheduler"), ("receipt",), True,
    Refused(id=_ACCEPTED.id, account="acc_demo", code="no_route", at=1_795_000_000_010),
)  # fmt: skip
MESSAGE_STATUS = Event(
    "message.status.v1", StatusChanged, ("receipt",), ("receipt", "accounts", "campaign-scheduler"), True,
    StatusChanged(
        id=_ACCEPTED.id, account="acc_demo", status="delivered", previous="submitted", at=1_795_000_002_000,
        number="33612345678", lane="bulk", operator="north", accepted_at=1_795_000_000_000,
    ),
)  # fmt: skip
REPORT_RECEIVED = Event(
    "report.received.v1", ReportReceived, ("dispatcher",), ("receipt",), True,
    ReportReceived(operator="north", ref="north-1", state="delivered", number=_ACCEPTED.number, at=_NOW),
)  # fmt: skip
INBOUND_RECEIVED = Event(
    "inbound.received.v1", InboundReceived, ("dispatcher",), ("receipt",), False,
    InboundReceived(id=1, operator="north", number="33612345678", to="36111", text="STOP", at=1_795_000_002_000),
)  # fmt: skip
ACCOUNT_CHANGED = Event(
    "account.changed.v1", AccountChanged, ("accounts",), COPIES_OF_ACCOUNTS, False,
    AccountChanged(
        id="acc_demo", version=1, name="Demo", doors=[Door(name="demo", addresses=["192.0.2.0/24"])],
        api_keys=[ApiKey(id="key_1", hash="00" * 32, scopes=["messages"])], callback=Callback(url="https://example.com/sms"),
    ),
)  # fmt: skip
ACCOUNT_COPY_REQUESTED = Event(
    "account.copy_requested.v1", AccountCopyRequested, COPIES_OF_ACCOUNTS, ("accounts",), False,
    AccountCopyRequested(service="ingest", at=1_795_000_000_000),
)  # fmt: skip
DESTINATION_HELD = Event(
    "account.destination_held.v1", DestinationHeld, ("ingest",), ("accounts",), False,
    DestinationHeld(account="acc_demo", country="LV", messages=101, at=_NOW),
)  # fmt: skip
PRICES_CHANGED = Event(
    "prices.changed.v1", PriceListChanged, ("accounts",), COPIES_OF_PRICES, False,
    PriceListChanged(
        id="prl_1", version=1, name="Standard", currency="EUR", default=True,
        rates=[PriceRate(prefix="33", micros=45_000), PriceRate(prefix="", micros=90_000)],
    ),
)  # fmt: skip
PRICE_COPY_REQUESTED = Event(
    "prices.copy_requested.v1", PriceCopyRequested, COPIES_OF_PRICES, ("accounts",), False,
    PriceCopyRequested(service="ingest", at=1_795_000_000_000),
)  # fmt: skip
LEASE_REQUESTED = Event(
    "credit.lease_requested.v1", LeaseRequested, SPENDERS, ("accounts",), False,
    LeaseRequested(
        lease="lse_1", account="acc_demo", process="ing_1", needed_micros=45_000, wanted_micros=45_000_000, at=_NOW,
    ),
)  # fmt: skip
LEASE_ANSWERED = Event(
    "credit.lease_answered.v1", LeaseAnswered, ("accounts",), SPENDERS, False,
    LeaseAnswered(lease="lse_1", account="acc_demo", process="ing_1", granted_micros=45_000_000, lasts_s=60),
)  # fmt: skip
LEASE_ENDED = Event(
    "credit.lease_ended.v1", LeaseEnded, (*SPENDERS, "accounts"), ("accounts",), False,
    LeaseEnded(lease="lse_1", account="acc_demo", at=_NOW),
)  # fmt: skip
AUDIENCE_REQUESTED = Event(
    "audience.requested.v1", AudienceRequested, ("campaign-scheduler",), ("contacts",), False,
    AudienceRequested(campaign="cmp_1", account="acc_demo", page=0, audience=Audience(groups=["grp_1"])),
)  # fmt: skip
AUDIENCE_PAGE = Event(
    "audience.page.v1", AudiencePage, ("contacts",), ("campaign-scheduler",), False,
    AudiencePage(
        campaign="cmp_1", account="acc_demo", page=0, last=True,
        recipients=[Recipient(number=_ACCEPTED.number, contact="ctc_1", name="Anne", language="fr")],
    ),
)  # fmt: skip
MESSAGE_BOUNCED = Event(
    "message.bounced.v1", Bounced, ("receipt",), ("contacts",), False,
    Bounced(id=_ACCEPTED.id, account="acc_demo", number=_ACCEPTED.number, error="unknown_number", at=_NOW),
)  # fmt: skip
INBOUND_ATTRIBUTED = Event(
    "inbound.attributed.v1", InboundAttributed, ("receipt",), ("contacts",), False,
    InboundAttributed(
        inbound=InboundReceived(id=1, operator="north", number=_ACCEPTED.number, to="36111", text="STOP", at=_NOW),
        account="acc_demo",
    ),
)  # fmt: skip
CONTACT_OPTED_OUT = Event(
    "contact.opted_out.v1", OptedOut, ("contacts",), COPIES_OF_SUPPRESSIONS, False,
    OptedOut(account="acc_demo", number=_ACCEPTED.number, hash="00" * 16, source="stop", at=_NOW),
)  # fmt: skip
CONTACT_OPTED_IN = Event(
    "contact.opted_in.v1", OptedIn, ("contacts",), COPIES_OF_SUPPRESSIONS, False,
    OptedIn(account="acc_demo", number=_ACCEPTED.number, hash="00" * 16, version=2, source="start", at=_NOW),
)  # fmt: skip
CONTACT_COPY_REQUESTED = Event(
    "contact.copy_requested.v1", SuppressionCopyRequested, COPIES_OF_SUPPRESSIONS, ("contacts",), False,
    SuppressionCopyRequested(service="dispatcher", request="scr_1", at=_NOW),
)  # fmt: skip
CONTACT_COPIED = Event(
    "contact.copied.v1", SuppressionsCopied, ("contacts",), COPIES_OF_SUPPRESSIONS, False,
    SuppressionsCopied(requests=["scr_1"], through=_NOW),
)  # fmt: skip

CATALOGUE: tuple[Event, ...] = (
    MESSAGE_ACCEPTED,
    MESSAGE_DEFERRED,
    MESSAGE_ROUTED,
    MESSAGE_SUBMITTED,
    MESSAGE_REFUSED,
    MESSAGE_STATUS,
    REPORT_RECEIVED,
    INBOUND_RECEIVED,
    ACCOUNT_CHANGED,
    ACCOUNT_COPY_REQUESTED,
    DESTINATION_HELD,
    PRICES_CHANGED,
    PRICE_COPY_REQUESTED,
    LEASE_REQUESTED,
    LEASE_ANSWERED,
    LEASE_ENDED,
    AUDIENCE_REQUESTED,
    AUDIENCE_PAGE,
    MESSAGE_BOUNCED,
    INBOUND_ATTRIBUTED,
    CONTACT_OPTED_OUT,
    CONTACT_OPTED_IN,
    CONTACT_COPY_REQUESTED,
    CONTACT_COPIED,
)  # fmt: skip
BY_NAME: dict[str, Event] = {event.name: event for event in CATALOGUE}
