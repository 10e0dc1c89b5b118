"""What this service keeps in MongoDB, for `carillon migrate` and `carillon check`."""

from carillon.mongo import Schema
from ingest.store import keys, refs

DATABASE = Schema("ingest", {**keys.INDEXES, **refs.INDEXES})
