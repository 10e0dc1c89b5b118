"""What all services keep in MongoDB: each says so in its `database.py`."""

import importlib
import importlib.util

from carillon.mongo import Schema
from carillon_cli.services import SERVICES, package


def schemas() -> list[Schema]:
    """The schemas of all services that keep anything, in starting order, and of what they share."""
    modules = [f"{package(name)}.database" for name in SERVICES]
    found = [importlib.import_module(module).DATABASE for module in modules if importlib.util.find_spec(module)]
    return [Schema("carillon", {}), *found]  # shared: node numbers and migrations, found by their keys
