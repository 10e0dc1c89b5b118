"""MongoDB: the client, indexes, bulk writes and leases. motor is touched here and, as types, in each store.py."""

from carillon.mongo.bulk import insert_new, write_all
from carillon.mongo.client import TEMPORARY_ERRORS, Collection, Database, Document, Mongo, Session
from carillon.mongo.indexes import Index, IndexProblem, compare_indexes, ensure_indexes
from carillon.mongo.leases import Lease, Leases
from carillon.mongo.migrations import Migration, MigrationError, Migrations, Progress, Schema, Standing
from carillon.mongo.nodes import NodeLease

__all__ = [
    "TEMPORARY_ERRORS",
    "Collection",
    "Database",
    "Document",
    "Index",
    "IndexProblem",
    "Lease",
    "Leases",
    "Migration",
    "MigrationError",
    "Migrations",
    "Mongo",
    "NodeLease",
    "Progress",
    "Schema",
    "Session",
    "Standing",
    "compare_indexes",
    "ensure_indexes",
    "insert_new",
    "write_all",
]
