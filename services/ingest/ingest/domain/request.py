"""One message as the JSON API takes it: the shape, with what OpenAPI says of each field."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from carillon.events.base import Lane
from carillon.events.message import CallbackForm, OnAmbiguous

LONGEST_TEXT = 255 * 153
MAX_VALIDITY_S = 604_800


SenderText = Annotated[
    str,
    Meta(
        max_length=20,
        description="11 letters, digits, blanks and underscores at most; or digits, with a plus when they are "
        "international; default: the account's",
    ),
]
LaneName = Annotated[Lane, Meta(description="default: urgent for a message sent alone, bulk for those of a batch")]
Validity = Annotated[int, Meta(ge=1, le=MAX_VALIDITY_S, description="seconds; not submitted later than that")]
ClientRef = Annotated[str, Meta(min_length=1, max_length=128, description="your own reference, given back in receipts")]
IfAmbiguous = Annotated[
    OnAmbiguous, Meta(description="when an operator's answer is lost: send again, or hold; default: the account's")
]
Metadata = Annotated[
    dict[str, Any], Meta(description="your own data, given back in receipts: 4 levels, 2,048 bytes at most")
]


class BinaryContent(Struct, frozen=True, forbid_unknown_fields=True):
    """Octets, in hex."""

    data: Annotated[str, Meta(max_length=255 * 280, description="user data in hex, without its header")]
    udh: Annotated[str, Meta(description="user data header in hex, its length octet first")] | None = None


class WapPushContent(Struct, frozen=True, forbid_unknown_fields=True):
    """A link that the handset offers to open."""

    url: Annotated[str, Meta(max_length=2_048, description="absolute URL")]
    title: Annotated[str, Meta(description="50 characters at most")] = ""


class CallbackTarget(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the receipts of this message go, instead of the account's URL."""

    url: Annotated[str, Meta(max_length=2_048, description="http or https")]
    form: CallbackForm | None = None


class MessageRequest(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A message to send. It has exactly one of text, binary, wap_push and template_id."""

    to: Annotated[
        str,
        Meta(
            max_length=40,
            description="mobile number, international; a national one is read as of the account's country",
            examples=["+33612345678"],
        ),
    ]
    text: Annotated[str, Meta(max_length=LONGEST_TEXT, examples=["Your code is 4711"])] | None = None
    binary: BinaryContent | None = None
    wap_push: WapPushContent | None = None
    template_id: Annotated[str, Meta(max_length=64)] | None = None
    variables: dict[str, Any] | None = None
    sender: SenderText | None = None
    lane: LaneName | None = None
    send_at: (
        Annotated[str, Meta(description="RFC 3339 time; until then the message is scheduled and can be cancelled")]
        | None
    ) = None
    validity_s: Validity | None = None
    callback: CallbackTarget | None = None
    client_ref: ClientRef | None = None
    on_ambiguous: IfAmbiguous | None = None
    metadata: Metadata | None = None


class QuoteRequest(Struct, frozen=True):
    """A content: exactly one of text, binary and wap_push. A message will do; its other fields are ignored."""

    to: Annotated[str, Meta(max_length=40, description="who it would go to, for the price")] | None = None
    text: str | None = None
    binary: BinaryContent | None = None
    wap_push: WapPushContent | None = None
    template_id: str | None = None
