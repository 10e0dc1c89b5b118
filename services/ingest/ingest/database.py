"""What this service keeps in MongoDB, for `carillon migrate` and `carillon check`."""

from carillon.mongo import Schema
from ingest.store import day_quotas, keys, refs

DATABASE = Schema("ingest", {**keys.INDEXES, **refs.INDEXES, **day_quotas.INDEXES})
