"""What this service keeps in MongoDB, for `carillon migrate` and `carillon check`."""

from accounts.store import INDEXES
from carillon.mongo import Schema

DATABASE = Schema("accounts", INDEXES)
