"""MongoDB: primary, version, a write with majority, its clock, and the indexes and migrations of this release."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pymongo.errors import OperationFailure, PyMongoError

from carillon.mongo import IndexProblem, MigrationError, Migrations, Mongo, Schema, compare_indexes
from carillon_cli.check.clocks import compare_clock
from carillon_cli.check.findings import Finding, bad, good, warn
from carillon_cli.databases import schemas
from carillon_cli.migrate import in_short
from carillon_cli.places import Places

AREA = "database"
OLDEST_VERSION = (6, 0)
SLOW_WRITE_S = 0.5


async def check_database(places: Places) -> list[Finding]:
    """All about it; a server that does not answer is one finding."""
    if not places.mongo_url:
        return [bad(AREA, "mongod", "no address", "set CARILLON_MONGO_URL, or start a platform here: carillon up")]
    mongo = Mongo(places.mongo_url, prefix=places.mongo_prefix, app="carillon-check")
    try:
        await mongo.start()
        findings = await _server(mongo)
        findings += await _members(mongo)
        findings.append(await _write(mongo))
        findings += [finding for schema in schemas() for finding in await _indexes(mongo, schema)]
        findings.append(await _migrations(mongo))
    except PyMongoError as error:
        do = "start mongod, or correct CARILLON_MONGO_URL; a replica set needs a primary"
        return [bad(AREA, "mongod", f"does not answer: {in_short(error)}", do)]
    finally:
        await mongo.stop()
    return findings


async def _server(mongo: Mongo) -> list[Finding]:
    version = str((await mongo.client.admin.command("buildInfo"))["version"])
    asked_s = time.time()
    hello: Mapping[str, Any] = await mongo.client.admin.command("hello")
    answered_s = time.time()
    findings = []
    if tuple(int(word) for word in version.split(".")[:2]) < OLDEST_VERSION:
        findings.append(bad(AREA, "version", f"MongoDB {version}", "use 6.0 or newer"))
    else:
        findings.append(good(AREA, "version", f"MongoDB {version} answers"))
    if not hello.get("setName"):
        do = "start mongod with --replSet and run rs.initiate(): writes with majority need it"
        findings.append(bad(AREA, "replica set", "none", do))
    elif not (hello.get("isWritablePrimary") or hello.get("primary")):
        do = "see rs.status(): more than half of the members must reach each other"
        findings.append(bad(AREA, "replica set", f"{hello['setName']} has no primary", do))
    else:
        findings.append(
            good(AREA, "replica set", f"{hello['setName']}, primary {hello.get('primary') or hello.get('me')}")
        )
    local: datetime = hello["localTime"]
    findings.append(compare_clock(AREA, "mongod", local.timestamp(), asked_s, answered_s, known_to_s=0.001))
    return findings


async def _members(mongo: Mongo) -> list[Finding]:
    try:
        status: Mapping[str, Any] = await mongo.client.admin.command("replSetGetStatus")
    except OperationFailure:  # this user may not ask, or it is no replica set, which was said
        return []
    down = [member["name"] for member in status["members"] if member["state"] not in (1, 2, 7)]
    if down:
        return [warn(AREA, "members", f"not up: {', '.join(down)}", "start them: the next loss may leave no majority")]
    return []


async def _write(mongo: Mongo) -> Finding:
    began_s = time.monotonic()
    try:
        await mongo.database("carillon")["checks"].update_one(
            {"_id": "check"}, [{"$set": {"at": "$$NOW"}}], upsert=True
        )
    except PyMongoError as error:
        do = "see rs.status(), the disk of mongod and the rights of this user"
        return bad(AREA, "write", f"with majority fails: {in_short(error)}", do)
    took_s = time.monotonic() - began_s
    says = f"with majority in {took_s * 1000:.0f} ms"
    if took_s > SLOW_WRITE_S:
        return warn(AREA, "write", says, "see mongod's disk and the lag of its members")
    return good(AREA, "write", says)


async def _indexes(mongo: Mongo, schema: Schema) -> list[Finding]:
    what = f"indexes {schema.database}"
    problems = await compare_indexes(mongo.database(schema.database), schema.indexes)
    wrong = [problem for problem in problems if problem.what != "undeclared"]
    if wrong:
        return [bad(AREA, what, _listed(wrong), "carillon migrate")]
    if problems:
        return [
            warn(AREA, what, _listed(problems), "drop them when no release needs them any more: they cost every write")
        ]
    declared = sum(len(indexes) for indexes in schema.indexes.values())
    return [good(AREA, what, f"{declared} as declared")] if declared else []


def _listed(problems: list[IndexProblem]) -> str:
    return ", ".join(f"{problem.collection} {problem.index} {problem.what}" for problem in problems)


async def _migrations(mongo: Mongo) -> Finding:
    try:
        standing = await Migrations(mongo, schemas(), "check").standing()
    except MigrationError as error:
        return bad(AREA, "migrations", str(error), "use the release that this database belongs to")
    if standing.pending:
        return bad(AREA, "migrations", f"pending: {', '.join(standing.pending)}", "carillon migrate")
    if standing.newer:
        do = "go forward again when you can: a newer release has been at work on this database"
        return warn(AREA, "migrations", f"of a newer release: {', '.join(standing.newer)}", do)
    return good(AREA, "migrations", f"{len(standing.finished)} run, none pending")
