"""What every record has in common: msgspec structs, compact on the wire, each field described."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

MAX_RECORDS = 500

Lane = Literal["urgent", "bulk"]
LANES: tuple[Lane, ...] = ("urgent", "bulk")

MessageId = Annotated[int, Meta(gt=0, le=(1 << 63) - 1, description="message id: 63 bits, time-ordered")]
AccountId = Annotated[str, Meta(description="account, acc_...")]
Millis = Annotated[int, Meta(description="milliseconds since 1970-01-01 UTC")]
Number = Annotated[str, Meta(description="international number, digits only, no plus")]
OperatorName = Annotated[str, Meta(description="operator's name in the operators file")]


class Record(Struct, omit_defaults=True, gc=False):
    """Base of all records. Fields at their default are left out on the wire; unknown fields are ignored.

    So a field with a default can be added within one version; anything else is a new version of the event.
    """
