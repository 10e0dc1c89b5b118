"""Credit without a round trip: accounts lends a process some of an account's credit, and the process spends it.

process --credit.lease_requested--> accounts --credit.lease_answered--> process
process --message.accepted (lease_id, price_micros)--> accounts
process --credit.lease_ended--> accounts, by the queue of the messages: whatever was spent is known by then
"""

from typing import Annotated, Final

from msgspec import Meta

from carillon.events.base import AccountId, Millis, Record

# In place of a lease, on a message that is to be sent later: it is paid when it is released, and names its lease then.
# What is told of its status may name either.
LEASE_LATER: Final = "at_release"

LeaseId = Annotated[str, Meta(description="lease, lse_...; chosen by the process that asks")]
Process = Annotated[str, Meta(description="the process that spends it")]


class LeaseRequested(Record, kw_only=True):
    """`credit.lease_requested`: a process has too little left of an account's credit. Asked again: the same answer."""

    lease: LeaseId
    account: AccountId
    process: Process
    needed_micros: Annotated[int, Meta(ge=0, description="what the message that waits costs; less is of no use")]
    wanted_micros: Annotated[int, Meta(ge=0, description="what the process would spend in a few seconds")]
    at: Millis


class LeaseAnswered(Record, kw_only=True):
    """`credit.lease_answered`: so much may be spent, until then. 0: the account has not got what is needed."""

    lease: LeaseId
    account: AccountId
    process: Process
    granted_micros: Annotated[int, Meta(ge=0, description="credit lent")]
    lasts_s: Annotated[int, Meta(ge=1, description="seconds from the request on; nothing is spent of it afterwards")]


class LeaseEnded(Record, kw_only=True):
    """`credit.lease_ended`: nothing more is spent of it. What its messages did not spend goes back to the account.

    Said by its process, or by accounts for a process that is gone.
    """

    lease: LeaseId
    account: AccountId
    at: Millis
