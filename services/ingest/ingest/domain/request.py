"""One message as the JSON API takes it: the shape, with what OpenAPI says of each field."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from carillon.events.base import Lane
from carillon.events.message import CallbackForm, OnAmbiguous

LONGEST_TEXT = 255 * 153
MAX_VALIDITY_S = 604_800


class BinaryContent(Struct, frozen=True, forbid_unknown_fields=True):
    """Octets, in hex."""

    data: Annotated[str, Meta(max_length=255 * 280, description="user data in hex, without its header")]
    udh: Annotated[str | None, Meta(description="user data header in hex, its length octet first")] = None


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
    text: Annotated[str | None, Meta(max_length=LONGEST_TEXT, examples=["Your code is 4711"])] = None
    binary: BinaryContent | None = None
    wap_push: WapPushContent | None = None
    template_id: Annotated[str | None, Meta(max_length=64)] = None
    variables: dict[str, Any] | None = None
    sender: Annotated[
        str | None,
        Meta(
            max_length=20,
            description="11 letters, digits, blanks and underscores at most; or digits, with a plus when international; "
            "default: the account's",
        ),
    ] = None
    lane: Annotated[
        Lane | None, Meta(description="default: urgent for a message sent alone, bulk for those of a batch")
    ] = None
    send_at: Annotated[str | None, Meta(description="RFC 3339 time")] = None
    validity_s: Annotated[
        int | None, Meta(ge=1, le=MAX_VALIDITY_S, description="seconds; not submitted later than that")
    ] = None
    callback: CallbackTarget | None = None
    client_ref: Annotated[
        str | None, Meta(min_length=1, max_length=128, description="your own reference, given back in receipts")
    ] = None
    on_ambiguous: Annotated[
        OnAmbiguous | None,
        Meta(description="when an operator's answer is lost: send again, or hold; default: account's"),
    ] = None
    metadata: Annotated[
        dict[str, Any] | None, Meta(description="your own data, given back in receipts: 4 levels, 2,048 bytes at most")
    ] = None


class QuoteRequest(Struct, frozen=True):
    """A content: exactly one of text, binary and wap_push. The body of a message will do; its other fields are ignored."""

    text: str | None = None
    binary: BinaryContent | None = None
    wap_push: WapPushContent | None = None
    template_id: str | None = None
