"""`carillon migrate`: indexes and migrations of all services, by one process at a time."""

import os
import socket
from collections.abc import Callable

from pymongo.errors import OperationFailure

from carillon.mongo import MigrationError, Migrations, Mongo, compare_indexes, ensure_indexes
from carillon_cli.databases import schemas


async def pending(mongo: Mongo) -> list[str]:
    """What `run` would do, one line each; empty: nothing."""
    found = [f"migration {id_}" for id_ in (await Migrations(mongo, schemas(), _owner()).standing()).pending]
    for schema in schemas():
        problems = await compare_indexes(mongo.database(schema.database), schema.indexes)
        found += [
            f"index {schema.database}.{problem.collection} {problem.index}: {problem.what}"
            for problem in problems
            if problem.what != "undeclared"
        ]
    return found


async def run(mongo: Mongo, say: Callable[[str], None]) -> None:
    """Run what is pending, then make what indexes are missing; `MigrationError` says what to do."""
    migrations = Migrations(mongo, schemas(), _owner())
    count = await migrations.run(say)
    for schema in schemas():
        try:
            await ensure_indexes(mongo.database(schema.database), schema.indexes)
        except OperationFailure as error:
            raise MigrationError(
                f"{schema.database}: {error.details.get('errmsg', error) if error.details else error}\n"
                "an index that exists with other options is dropped by a migration, or by hand: "
                f"db.getSiblingDB({schema.database!r}).COLLECTION.dropIndex(NAME)"
            ) from error
    say(f"{count} migrations run, the indexes of {len(schemas())} databases are there")


def in_short(error: Exception) -> str:
    """What the driver says, without its account of every server and time-out."""
    return str(error).partition(" (configured timeouts")[0].partition(", Timeout:")[0]


def _owner() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
