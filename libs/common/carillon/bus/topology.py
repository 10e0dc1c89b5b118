"""The exchange, the stream and every durable queue, in one table.

Every process declares all of them when it connects: a fact is never published before the queues that must keep it
exist, whichever service starts first. All queues are quorum queues with a delivery limit; what exceeds it, or is
rejected, rests in `<queue>.parked` with its reason; what is deferred waits in `<queue>.retry.<n>s`.
"""

from dataclasses import dataclass

from carillon.events.base import LANES, Lane
from carillon.events.catalogue import (
    ACCOUNT_CHANGED,
    ACCOUNT_COPY_REQUESTED,
    AUDIENCE_PAGE,
    AUDIENCE_REQUESTED,
    CONTACT_COPIED,
    CONTACT_COPY_REQUESTED,
    CONTACT_OPTED_IN,
    CONTACT_OPTED_OUT,
    DESTINATION_HELD,
    INBOUND_ATTRIBUTED,
    INBOUND_RECEIVED,
    LEASE_ANSWERED,
    LEASE_ENDED,
    LEASE_REQUESTED,
    MESSAGE_ACCEPTED,
    MESSAGE_BOUNCED,
    MESSAGE_DEFERRED,
    MESSAGE_REFUSED,
    MESSAGE_ROUTED,
    MESSAGE_STATUS,
    MESSAGE_SUBMITTED,
    PRICE_COPY_REQUESTED,
    PRICES_CHANGED,
    REPORT_RECEIVED,
)

EXCHANGE = "carillon.events"
RECEIPT_STREAM = "carillon.receipts"
STREAM_MAX_AGE = "7D"
DELIVERY_LIMIT = 50  # deliveries of one message: crashes of its consumer count, so this is generous
RETRY_DELAY_S = 10
MAX_ATTEMPTS = 10  # of a deferred or failed record, then it is parked
UNKNOWN_PATIENCE_S = 3_600  # an event that only newer processes know waits so long for one of them


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue and the routing keys that lead to it. A transient one belongs to one process and dies with it."""

    name: str
    keys: tuple[str, ...]
    transient: bool = False
    one_at_a_time: bool = False  # one process consumes it, the others stand by: the order is kept

    @property
    def label(self) -> str:
        """Its name in metrics and traces: without the process that a transient queue belongs to."""
        return self.name.rpartition(".")[0] if self.transient else self.name

    @property
    def retry(self) -> str:
        """Where a deferred record waits."""
        return f"{self.name}.retry.{RETRY_DELAY_S}s"

    @property
    def parked(self) -> str:
        """Where a record rests that could not be handled."""
        return f"{self.name}.parked"


def dispatcher_route(lane: Lane) -> Queue:
    """Accepted messages that wait for a route."""
    return Queue(f"dispatcher.route.{lane}", (MESSAGE_ACCEPTED.key(lane),))


def dispatcher_submit(operator: str, lane: Lane) -> Queue:
    """Messages that wait for one operator. Declared by dispatcher for each operator of its file."""
    return Queue(f"dispatcher.submit.{operator}.{lane}", (MESSAGE_ROUTED.key(lane, operator),))


def receipt_record(lane: Lane) -> Queue:
    """Everything that happens to a message, in one queue: one flush merges what belongs to one message."""
    keys = (
        MESSAGE_ACCEPTED.key(lane),
        MESSAGE_DEFERRED.key(lane),
        MESSAGE_SUBMITTED.key(lane),
        MESSAGE_REFUSED.key(lane),
        REPORT_RECEIVED.key(lane),
    )
    return Queue(f"receipt.record.{lane}", keys)


def receipt_callbacks(lane: Lane) -> Queue:
    """Status changes that clients are to be told of."""
    return Queue(f"receipt.callbacks.{lane}", (MESSAGE_STATUS.key(lane),))


RECEIPT_INBOUND = Queue("receipt.inbound", (INBOUND_RECEIVED.key(),))

ACCOUNTS_COPIES = Queue("accounts.copies", (ACCOUNT_COPY_REQUESTED.key(),))
ACCOUNTS_HOLDS = Queue("accounts.holds", (DESTINATION_HELD.key(),))
ACCOUNTS_PRICE_COPIES = Queue("accounts.price_copies", (PRICE_COPY_REQUESTED.key(),))
ACCOUNTS_LEASES = Queue("accounts.leases", (LEASE_REQUESTED.key(),))
# A lease's end comes by the way of the messages that spent it, after them.
ACCOUNTS_CHARGES = Queue(
    "accounts.charges",
    (
        *(MESSAGE_ACCEPTED.key(lane) for lane in LANES),
        *(MESSAGE_STATUS.key(lane) for lane in LANES),
        LEASE_ENDED.key(),
    ),
    one_at_a_time=True,
)

CONTACTS_AUDIENCE = Queue("contacts.audience", (AUDIENCE_REQUESTED.key(),))
CONTACTS_COPIES = Queue("contacts.copies", (CONTACT_COPY_REQUESTED.key(),))
CONTACTS_INBOUND = Queue("contacts.inbound", (INBOUND_ATTRIBUTED.key(),))
CONTACTS_BOUNCES = Queue("contacts.bounces", (MESSAGE_BOUNCED.key(),))

CAMPAIGN_PAGES = Queue("campaign-scheduler.pages", (AUDIENCE_PAGE.key(),))
CAMPAIGN_DEFERRED = Queue("campaign-scheduler.deferred", tuple(MESSAGE_DEFERRED.key(lane) for lane in LANES))
# Campaigns are in the bulk lane: nothing of a one-time code is told here.
CAMPAIGN_STATUS = Queue("campaign-scheduler.status.bulk", (MESSAGE_STATUS.key("bulk"),))

STREAM_ARGUMENTS: dict[str, object] = {"x-queue-type": "stream", "x-max-age": STREAM_MAX_AGE}
DURABLE_QUEUES: tuple[Queue, ...] = (
    *(dispatcher_route(lane) for lane in LANES),
    *(receipt_record(lane) for lane in LANES),
    *(receipt_callbacks(lane) for lane in LANES),
    RECEIPT_INBOUND,
    ACCOUNTS_COPIES,
    ACCOUNTS_HOLDS,
    ACCOUNTS_PRICE_COPIES,
    ACCOUNTS_LEASES,
    ACCOUNTS_CHARGES,
    CONTACTS_AUDIENCE,
    CONTACTS_COPIES,
    CONTACTS_INBOUND,
    CONTACTS_BOUNCES,
    CAMPAIGN_PAGES,
    CAMPAIGN_DEFERRED,
    CAMPAIGN_STATUS,
)


def account_copy(service: str, process: str) -> Queue:
    """One process's own ear for account changes; it asks for a full copy whenever it has to make this queue anew."""
    return Queue(f"{service}.accounts.{process}", (ACCOUNT_CHANGED.key(),), transient=True)


def durable_arguments(queue: Queue) -> dict[str, dict[str, object]]:
    """A durable queue, its retry and its parking queue: name -> arguments."""
    return {
        queue.parked: {"x-queue-type": "quorum"},
        queue.retry: retry_arguments(queue),
        queue.name: queue_arguments(queue),
    }


def suppression_copy(service: str, process: str) -> Queue:
    """One process's own ear for opt-outs and opt-ins."""
    keys = (CONTACT_OPTED_OUT.key(), CONTACT_OPTED_IN.key(), CONTACT_COPIED.key())
    return Queue(f"{service}.suppressions.{process}", keys, transient=True)


def price_copy(service: str, process: str) -> Queue:
    """One process's own ear for price lists, as `account_copy` is for accounts."""
    return Queue(f"{service}.prices.{process}", (PRICES_CHANGED.key(),), transient=True)


def lease_answers(service: str, process: str) -> Queue:
    """Where a process hears of the credit that it is lent."""
    return Queue(f"{service}.leases.{process}", (LEASE_ANSWERED.key(),), transient=True)


def queue_arguments(queue: Queue) -> dict[str, object]:
    """Arguments of the queue itself."""
    if queue.transient:
        return {}
    single = {"x-single-active-consumer": True} if queue.one_at_a_time else {}
    return {
        **single,
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": queue.parked,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def retry_arguments(queue: Queue) -> dict[str, object]:
    """Arguments of the retry queue: after the delay, back to where it came from."""
    return {
        "x-queue-type": "quorum",
        "x-message-ttl": RETRY_DELAY_S * 1000,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": queue.name,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
