"""MongoDB documents and what they mean, one file a collection. Database `receipt`."""

from collections.abc import Mapping, Sequence

from carillon.mongo import Database, Index, ensure_indexes
from receipt.store.additions import ADDITION_INDEXES, AdditionStore
from receipt.store.callback_log import CALLBACK_LOG_INDEXES, CallbackLog
from receipt.store.callbacks import CALLBACK_INDEXES, LANE_INDEXES, CallbackStore
from receipt.store.disabled_urls import DISABLED_INDEXES, DisabledUrls
from receipt.store.histories import Histories
from receipt.store.inbound import INBOUND_INDEXES, InboundStore
from receipt.store.messages import MESSAGE_INDEXES, MessageStore
from receipt.store.stats import MARK_INDEXES, STATS_INDEXES, StatsStore
from receipt.store.sweeps import SweepStore
from receipt.store.unmatched import UNMATCHED_INDEXES, UnmatchedStore

INDEXES: Mapping[str, Sequence[Index]] = {
    "messages": MESSAGE_INDEXES,
    "additions": ADDITION_INDEXES,
    "unmatched_reports": UNMATCHED_INDEXES,
    "callbacks": CALLBACK_INDEXES,
    "callback_lanes": LANE_INDEXES,
    "callback_log": CALLBACK_LOG_INDEXES,
    "disabled_urls": DISABLED_INDEXES,
    "inbound": INBOUND_INDEXES,
    "stats": STATS_INDEXES,
    "stats_marks": MARK_INDEXES,
}


class Stores:
    """All of them on one database. A part: makes the indexes at start."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.messages = MessageStore(database)
        self.additions = AdditionStore(database)
        self.histories = Histories(self.messages, self.additions)
        self.unmatched = UnmatchedStore(database)
        self.inbound = InboundStore(database)
        self.sweeps = SweepStore(database)
        self.stats = StatsStore(database)
        self.callbacks = CallbackStore(database)
        self.callback_log = CallbackLog(database)
        self.disabled_urls = DisabledUrls(database)

    async def start(self) -> None:
        """Make what indexes are missing."""
        await ensure_indexes(self.database, INDEXES)

    async def stop(self) -> None:
        """Nothing to let go."""
