"""Who a campaign goes to, page by page, and what contacts knows of a number's will."""

from typing import Annotated, Literal

from msgspec import Meta

from carillon.events.base import AccountId, Millis, Number, Record

CampaignId = Annotated[str, Meta(description="campaign, cmp_...")]
OptOutSource = Literal["stop", "start", "manual", "import", "bounced", "api", "erased"]


class Audience(Record, kw_only=True):
    """Whom to write to: the union of what is named, less `minus_groups`; a number is in it once."""

    everyone: Annotated[bool, Meta(description="all contacts of the account")] = False
    groups: Annotated[list[str], Meta(description="grp_... whose members are in it")] = []
    minus_groups: Annotated[list[str], Meta(description="grp_... whose members are not in it")] = []
    numbers: Annotated[list[str], Meta(description="numbers typed in, international digits")] = []
    file: Annotated[str | None, Meta(description="imp_... of an uploaded file whose numbers are in it")] = None
    attributes: Annotated[dict[str, str], Meta(description="only contacts whose attributes have these values")] = {}


class AudienceRequested(Record, kw_only=True):
    """`audience.requested`: campaign-scheduler has room for one more page. Asked again, it is answered the same."""

    campaign: CampaignId
    account: AccountId
    page: Annotated[int, Meta(ge=0, description="number of the page, from 0")]
    after: Annotated[str, Meta(description="the last number of the page before; empty for the first page")] = ""
    size: Annotated[int, Meta(ge=1, le=500, description="recipients wanted at most")] = 500
    audience: Annotated[Audience, Meta(description="whom the campaign is for")]


class Recipient(Record, kw_only=True):
    """One person of a page."""

    number: Number
    contact: Annotated[str | None, Meta(description="contact, ctc_...; None: a number that is no contact")] = None
    name: str = ""
    language: Annotated[str | None, Meta(description="BCP 47, as the contact says")] = None
    attributes: dict[str, str] = {}
    suppressed: Annotated[str | None, Meta(description="why it must not be written to; None: it may")] = None


class AudiencePage(Record, kw_only=True):
    """`audience.page`: recipients in the order of their numbers, each number after `after` of the request."""

    campaign: CampaignId
    account: AccountId
    page: Annotated[int, Meta(ge=0, description="the page that was asked for")]
    recipients: Annotated[list[Recipient], Meta(description="at most as many as were wanted")]
    last: Annotated[bool, Meta(description="no recipient comes after these")]


class Will(Record, kw_only=True):
    """What is known of a number's will in an account; the two events below say which way it went."""

    account: AccountId
    number: Annotated[str, Meta(description="international digits; empty once the number was erased")] = ""
    hash: Annotated[str, Meta(pattern="^[0-9a-f]{32}$", description="keyed hash of account and number, hex")]
    version: Annotated[int, Meta(ge=1, description="of what is known of this number's will: the highest counts")] = 1
    source: Annotated[OptOutSource, Meta(description="how it came to be known")]
    at: Millis


class OptedOut(Will, kw_only=True):
    """`contact.opted_out`: nothing more may be sent from this account to this number."""


class OptedIn(Will, kw_only=True):
    """`contact.opted_in`: the number may be written to again."""


class SuppressionCopyRequested(Record, kw_only=True):
    """`contact.copy_requested`: a process wants the suppressions said again that have changed since its copy was whole.

    It asks whenever its ear is new, and now and then.
    """

    service: Annotated[str, Meta(description="who asks")]
    request: Annotated[str, Meta(description="id of this request, which the end of the answer names")]
    since: Annotated[Millis, Meta(description="what changed before then is known; 0: nothing is")] = 0
    at: Millis


class SuppressionsCopied(Record, kw_only=True):
    """`contact.copied`: the answer to these requests has been said in full before this."""

    requests: Annotated[list[str], Meta(description="ids of the requests that are answered")]
    through: Annotated[Millis, Meta(description="every change made before then, by contacts' clock, was said")]
