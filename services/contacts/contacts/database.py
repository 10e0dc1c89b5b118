"""What this service keeps in MongoDB, for `carillon migrate` and `carillon check`."""

from carillon.mongo import Schema
from contacts.suppressions.room import INDEXES

DATABASE = Schema("contacts", INDEXES)
