"""What this service keeps in MongoDB, for `carillon migrate` and `carillon check`."""

from carillon.mongo import Schema
from contacts.store import INDEXES
from contacts.suppressions.room import INDEXES as SUPPRESSION_INDEXES

DATABASE = Schema("contacts", {**INDEXES, **SUPPRESSION_INDEXES})
