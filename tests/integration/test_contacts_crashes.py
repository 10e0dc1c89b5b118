"""Imports whose worker is killed, and queries that must be answered from an index."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.contacts_rig import rig, settings_of, started

from carillon.mongo import Mongo
from carillon.runtime.clock import SystemClock
from carillon.runtime.ids import new_id
from contacts.domain.contact import Contact
from contacts.imports.decide import Decide
from contacts.imports.record import encode
from contacts.imports.targets import ContactsTarget
from contacts.imports.upload import Options, Uploads
from contacts.imports.work import Work
from contacts.settings import Settings
from contacts.store import Stores
from contacts.store.contacts import Filter

pytestmark = pytest.mark.integration

ROWS = 30_000


@pytest.fixture
def settings(vhost_url: str, mongo_url: str, mongo_prefix: str) -> Settings:
    return settings_of(vhost_url, mongo_url, mongo_prefix)


async def test_an_import_goes_on_where_killed_workers_left_it(settings: Settings) -> None:
    """Two processes are killed in the middle; a third ends it, and every row counts once."""
    lines = [f"336{10_000_000 + n % 25_000:08d};Name {n};Group {n % 3}" for n in range(ROWS)]
    lines[100] = "nobody;x"
    data = "\r\n".join(lines).encode()
    id_ = None
    for part in (0.1, 0.4):
        process, url = await started(settings)
        try:
            async with httpx.AsyncClient(
                base_url=url, headers={"Authorization": "Bearer ck_live_1"}, timeout=30
            ) as api:
                if id_ is None:
                    answer = await api.post("/v1/imports", files={"file": ("a.csv", data)})
                    assert answer.status_code == 202, answer.text
                    id_ = answer.json()["id"]
                seen = await _wait_for(api, id_, int(part * ROWS))
                assert seen["state"] == "running"
        finally:
            process.kill()
            await process.wait()
    async with rig(settings) as here:
        assert id_ is not None
        done = await here.ended(id_, within_s=120)
        assert done["counts"] == {
            "rows": ROWS, "created": 25_000, "updated": 4_999, "unchanged": 0, "refused": 1, "noted": 0,
        }  # fmt: skip
        contacts = here.mongo.database("contacts")["contacts"]
        assert await contacts.count_documents({}) == 25_000
        assert len(await contacts.distinct("number")) == 25_000
        assert sum([group["contacts"] for group in (await here.groups()).values()]) == 25_000 + 4_999
        assert [line.split(";")[0] for line in await here.report(id_)] == ["101"]
        await here.api.post(f"/v1/imports/{id_}:undo")
        undone = (await here.ended(id_, within_s=120))["undone"]
        assert undone == {"removed": 25_000, "restored": 4_999, "kept": 0, "groups_removed": 3}
        assert await contacts.count_documents({}) == 0


async def test_a_batch_that_was_decided_and_half_done_is_counted_once(settings: Settings) -> None:
    """The crash is between the record and the checkpoint, and meanwhile somebody made one of its contacts by hand."""
    mongo = Mongo(settings.mongo_url, prefix=settings.mongo_prefix)
    stores = Stores(mongo.database("contacts"))
    await stores.start()
    clock = SystemClock()
    decide = Decide(stores, _nobody, clock)
    work = Work(stores, decide, clock)
    now_ms = clock.now_ms()
    old = Contact(id=new_id("ctc"), account="acc_1", number="33612345600", name="Old", created_at=1, changed_at=1)
    await stores.contacts.insert_new([old])

    async def data() -> AsyncIterator[bytes]:
        yield "".join(f"336123456{n:02d};New {n};G\n" for n in range(50)).encode()

    await Uploads(stores, clock).receive("acc_1", Options(), None, data())
    kept = await stores.imports.next_work("acc_1")
    assert kept is not None
    kept = await work.prepare(kept)
    rows = await work.source(kept).take()
    record, _ = await decide(kept.import_, ContactsTarget(stores), rows)
    assert (record.counts.created, record.counts.updated) == (49, 1)
    await stores.batches.add(record, encode(record), now_ms)
    half = record.with_changed(record.touches[:20], 0)
    await ContactsTarget(stores).apply(kept.import_, half, now_ms)
    by_hand = Contact(id=new_id("ctc"), account="acc_1", number="33612345649", name="Hand", created_at=1, changed_at=1)
    await stores.contacts.insert_new([by_hand])
    await stores.batches.change(record)
    async with rig(settings) as here:
        done = await here.ended(kept.import_.id)
        assert (done["counts"]["created"], done["counts"]["updated"]) == (48, 2)
        people = {each["number"]: each for each in await here.contacts()}
        assert len(people) == 50
        assert {each["name"] for each in people.values()} == {f"New {n}" for n in range(50)}
        assert people["33612345649"]["id"] == by_hand.id
        assert all(each["version"] <= 2 for each in people.values())
        await here.api.post(f"/v1/imports/{kept.import_.id}:undo")
        end = await here.ended(kept.import_.id)
        assert end["undone"] == {"removed": 48, "restored": 2, "kept": 0, "groups_removed": 1}
        assert {each["name"] for each in await here.contacts()} == {"Old", "Hand"}
    await mongo.stop()


async def test_the_command_line(settings: Settings, tmp_path: Path) -> None:
    process, url = await started(settings)
    try:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "CARILLON_URL": url,
            "CARILLON_API_KEY": "ck_live_1",
        }
        file = tmp_path / "contacts.csv"
        file.write_bytes("33612345678;Zoé;Clients\r\n33612345679;Hélène\r\nnobody\r\n".encode("cp1252"))

        async def carillon(*arguments: str) -> tuple[int, str]:
            run = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "carillon_cli",
                "contacts",
                *arguments,
                env=environment,
                stdout=PIPE,
                stderr=STDOUT,
            )
            out, _ = await run.communicate()
            return run.returncode or 0, out.decode()

        status, said = await carillon("import", str(file), "--dry-run")
        assert (status, "2 contacts would be created" in said) == (0, True), said
        status, said = await carillon("list", "--json")
        assert (status, said) == (0, "")
        status, said = await carillon("import", str(file), "--group", "Tous")
        assert (status, "2 contacts created" in said) == (0, True), said
        status, said = await carillon("list", "--group", "tous", "--json")
        found = [json.loads(line) for line in said.splitlines()]
        assert [(each["number"], each["name"]) for each in found] == [("33612345678", "Zoé"), ("33612345679", "Hélène")]
        status, said = await carillon("list", "--group", "clients")
        assert status == 0
        assert "33612345678" in said
        assert "33612345679" not in said
        assert (await carillon("list", "--group", "nobody"))[0] == 1
        file.write_bytes(b"PK\x03\x04 broken")
        assert (await carillon("import", str(file)))[0] == 1
        file.write_bytes(b"\x00")
        assert (await carillon("import", str(file)))[0] == 1
        assert (await carillon("import", str(tmp_path / "missing.csv")))[0] == 2
    finally:
        process.terminate()
        await process.wait()


async def test_searches_and_pages_look_at_an_index_and_at_little_of_it(settings: Settings) -> None:
    mongo = Mongo(settings.mongo_url, prefix=settings.mongo_prefix)
    stores = Stores(mongo.database("contacts"))
    await stores.start()
    contacts = [
        Contact(
            id=new_id("ctc"), account=f"acc_{n % 2}", number=f"336{10_000_000 + n:08d}", name=f"Jean Dupont{n}",
            groups=("grp_big", *(("grp_small",) if n % 500 == 0 else ())), attributes={"city": f"c{n % 100}"},
            created_at=0, changed_at=0,
        )
        for n in range(10_000)
    ]  # fmt: skip
    for at in range(0, len(contacts), 1_000):
        await stores.contacts.insert_new(contacts[at : at + 1_000])
    for digits, words in ((["336"], []), (["33610005"], []), ([], ["jea"]), ([], ["dupont12"]), (["331", "336"], [])):
        said = await stores.contacts.explain_search("acc_0", digits, words, 20)
        _assert_bounded(said, keys=25)
    for wanted in (
        Filter(),
        Filter(["grp_big"]),
        Filter(["grp_small"]),
        Filter(["grp_small", "grp_big"]),
        Filter(None, {"city": "c4"}),
    ):
        said = await stores.contacts.explain_page("acc_0", wanted, "33610005000", 50)
        _assert_bounded(said, keys=60)
    await mongo.stop()


def _assert_bounded(said: dict[str, Any], *, keys: int) -> None:
    stages = set(_stages(said["queryPlanner"]["winningPlan"]))
    assert "IXSCAN" in stages
    assert not stages & {"COLLSCAN", "SORT"}
    assert said["executionStats"]["totalKeysExamined"] <= keys
    assert said["executionStats"]["totalDocsExamined"] <= keys


def _stages(plan: dict[str, Any]) -> list[str]:
    inputs = [plan["inputStage"]] if "inputStage" in plan else plan.get("inputStages", [])
    return [plan["stage"], *(stage for one in inputs for stage in _stages(one))]


async def _nobody(_account: str, _numbers: Any) -> dict[str, str]:
    return {}


async def _wait_for(api: httpx.AsyncClient, id_: str, rows: int) -> dict[str, Any]:
    async with asyncio.timeout(90):
        while True:
            seen: dict[str, Any] = (await api.get(f"/v1/imports/{id_}")).json()
            if seen["counts"]["rows"] >= rows:
                return seen
            await asyncio.sleep(0.01)
