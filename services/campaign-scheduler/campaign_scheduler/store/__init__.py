"""MongoDB documents and what they mean, one file a collection. Database `campaign_scheduler`."""

from collections.abc import Mapping, Sequence

from campaign_scheduler.store.campaigns import CAMPAIGN_INDEXES, CampaignStore
from campaign_scheduler.store.deferred import DEFERRED_INDEXES, DeferredStore
from campaign_scheduler.store.pages import PAGE_INDEXES, PageStore
from campaign_scheduler.store.quotes import QUOTE_INDEXES, QuoteStore
from campaign_scheduler.store.templates import TEMPLATE_INDEXES, TemplateStore
from carillon.mongo import Database, Index, ensure_indexes

INDEXES: Mapping[str, Sequence[Index]] = {
    "templates": TEMPLATE_INDEXES,
    "campaigns": CAMPAIGN_INDEXES,
    "pages": PAGE_INDEXES,
    "quotes": QUOTE_INDEXES,
    "deferred": DEFERRED_INDEXES,
}


class Stores:
    """All of them on one database. A part: makes the indexes at start."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.templates = TemplateStore(database)
        self.campaigns = CampaignStore(database)
        self.pages = PageStore(database)
        self.quotes = QuoteStore(database)
        self.deferred = DeferredStore(database)

    async def start(self) -> None:
        """Make what indexes are missing."""
        await ensure_indexes(self.database, INDEXES)

    async def stop(self) -> None:
        """Nothing to let go."""
