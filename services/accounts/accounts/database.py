"""What this service keeps in MongoDB, for `carillon migrate` and `carillon check`."""

from accounts.credit import ledger
from accounts.prices import store as prices
from accounts.store import INDEXES
from accounts.topups import embedded
from accounts.topups import store as topups
from carillon.mongo import Schema

DATABASE = Schema("accounts", {**INDEXES, **prices.INDEXES, **ledger.INDEXES, **topups.INDEXES, **embedded.INDEXES})
