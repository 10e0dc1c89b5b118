"""What this service keeps in MongoDB, for `carillon migrate` and `carillon check`."""

from campaign_scheduler.store import INDEXES
from carillon.mongo import Schema

DATABASE = Schema("campaign_scheduler", INDEXES)
