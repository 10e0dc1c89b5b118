"""What this service keeps in MongoDB, for `carillon migrate` and `carillon check`."""

from carillon.mongo import Schema

DATABASE = Schema("dispatcher", {})  # the journal is found by its keys alone
