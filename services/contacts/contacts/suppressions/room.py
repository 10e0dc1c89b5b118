"""This room put together: its stores, what it listens to, its sweeper, its routes."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter

from carillon.bus import Bus, Subscription
from carillon.bus.subscribed import Subscribed
from carillon.bus.topology import CONTACTS_BOUNCES, CONTACTS_COPIES, CONTACTS_INBOUND
from carillon.http.principal import Directory, require_scope
from carillon.mongo import Database, Index, ensure_indexes
from carillon.runtime.background import Every
from carillon.runtime.clock import Clock
from carillon.runtime.lifecycle import Part
from carillon.runtime.number_hash import NumberHash
from contacts.consent import api as consent_api
from contacts.consent import export_api
from contacts.consent.log import CONSENT_INDEXES, ConsentLog
from contacts.inbound.handlers import HearStop
from contacts.inbound.review import REVIEW_INDEXES, ReviewStore
from contacts.people import People
from contacts.suppressed import Suppressed
from contacts.suppressions import api, cleaning_api
from contacts.suppressions.bounces import BOUNCE_INDEXES, BounceStore, CountBounces
from contacts.suppressions.handlers import ChangeSuppressions, Forgets, SayChanges, SayCopies, SayPending
from contacts.suppressions.store import SUPPRESSION_INDEXES, SuppressionStore

SCOPE = "contacts"
IMPORT_PATH = "/v1/suppressions/import"
IMPORT_CAP_BYTES = 64 << 20  # two million numbers
INDEXES: dict[str, Sequence[Index]] = {
    "suppressions": SUPPRESSION_INDEXES,
    "consents": CONSENT_INDEXES,
    "bounces": BOUNCE_INDEXES,
    "inbound_reviews": REVIEW_INDEXES,
}
_SWEEP_S = 2.0
_TOGETHER_S = 0.05  # processes that start together ask together, and one answer serves them all


class _Indexes:
    """A part: the indexes are there before anything else of this room begins."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def start(self) -> None:
        await ensure_indexes(self._database, INDEXES)

    async def stop(self) -> None:
        return None


@dataclass(frozen=True)
class SuppressionRoom:
    """`parts` go after the bus and the accounts' copy; `routers` go before `/v1/contacts/{id}`."""

    parts: Sequence[Part]
    routers: Sequence[APIRouter]
    suppressed: Suppressed
    change: ChangeSuppressions


def suppression_room(
    database: Database,
    bus: Bus,
    accounts: Directory,
    numbers: NumberHash,
    clock: Clock,
    *,
    bounces_to_suppress: int,
    others: Sequence[Forgets] = (),
) -> SuppressionRoom:
    """Wire it; nothing is connected before its parts are started. `others` forget who is erased, too."""
    store = SuppressionStore(database, numbers)
    consents = ConsentLog(database, numbers)
    bounces = BounceStore(database, numbers)
    reviews = ReviewStore(database)
    people = People(database)
    suppressed = Suppressed(database, numbers)
    say = SayChanges(store, consents, [people, bounces, reviews, *others], bus)
    change = ChangeSuppressions(store, say, clock)
    subscriptions = [
        Subscription(CONTACTS_INBOUND, HearStop(change, reviews)),
        Subscription(CONTACTS_BOUNCES, CountBounces(bounces, change, bounces_to_suppress)),
        Subscription(CONTACTS_COPIES, SayCopies(store, bus, clock), max_wait_s=_TOGETHER_S),
    ]
    principal = require_scope(accounts, SCOPE, clock)
    return SuppressionRoom(
        parts=[
            _Indexes(database),
            Every("pending suppressions", _SWEEP_S, SayPending(store, say, clock).sweep),
            Subscribed(bus, subscriptions),
        ],
        routers=[
            cleaning_api.routes(bounces, reviews, change, principal, clock),
            api.routes(store, change, suppressed, principal, clock),
            consent_api.log_routes(consents, numbers, principal, clock),
            export_api.routes(people, store, consents, bounces, reviews, numbers, principal),
            consent_api.person_routes(consents, change, people, numbers, principal, clock),
        ],
        suppressed=suppressed,
        change=change,
    )
