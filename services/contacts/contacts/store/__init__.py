"""MongoDB documents and what they mean, one file a collection. Database `contacts`."""

from collections.abc import Mapping, Sequence

from carillon.mongo import Database, Index, ensure_indexes
from contacts.store.batches import BATCH_INDEXES, BatchStore
from contacts.store.chunks import CHUNK_INDEXES, ChunkStore
from contacts.store.contacts import CONTACT_INDEXES, ContactStore
from contacts.store.file_rows import FileRowStore
from contacts.store.groups import GROUP_INDEXES, GroupStore
from contacts.store.imports import IMPORT_INDEXES, ImportStore
from contacts.store.keys import KEY_INDEXES, Keys

INDEXES: Mapping[str, Sequence[Index]] = {
    "contacts": CONTACT_INDEXES,
    "groups": GROUP_INDEXES,
    "imports": IMPORT_INDEXES,
    "import_chunks": CHUNK_INDEXES,
    "import_batches": BATCH_INDEXES,
    "keys": KEY_INDEXES,
}


class Stores:
    """All of them on one database. A part: makes the indexes at start."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.contacts = ContactStore(database)
        self.groups = GroupStore(database)
        self.imports = ImportStore(database)
        self.chunks = ChunkStore(database)
        self.batches = BatchStore(database)
        self.file_rows = FileRowStore(database)
        self.keys = Keys(database)

    async def start(self) -> None:
        """Make what indexes are missing."""
        await ensure_indexes(self.database, INDEXES)

    async def stop(self) -> None:
        """Nothing to let go."""
