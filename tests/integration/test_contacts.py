"""Contacts, groups, imports and audiences on a real RabbitMQ and MongoDB."""

import asyncio
import io
from collections.abc import AsyncIterator
from functools import partial

import openpyxl
import pytest
from tests.integration.contacts_rig import Rig, rig, settings_of, sse_of, until

from carillon.events.audience import Audience, AudiencePage, AudienceRequested
from carillon.events.catalogue import AUDIENCE_REQUESTED
from contacts.settings import Settings

pytestmark = pytest.mark.integration

SEED = "33611223344\r\n33612345678;NomContact\r\n33687654321;NomContact;NomGroupe\r\n33687541257;;NomGroupe\r\n"


@pytest.fixture
def settings(vhost_url: str, mongo_url: str, mongo_prefix: str) -> Settings:
    return settings_of(vhost_url, mongo_url, mongo_prefix)


@pytest.fixture
async def here(settings: Settings) -> AsyncIterator[Rig]:
    async with rig(settings) as running:
        yield running


async def test_the_four_rows_of_the_contract_saved_by_excel(here: Rig) -> None:
    done = await here.upload(SEED.encode("cp1252"))
    assert done["state"] == "finished"
    assert done["counts"] == {"rows": 4, "created": 4, "updated": 0, "unchanged": 0, "refused": 0, "noted": 0}
    assert [row["number"] for row in done["preview"]] == ["33611223344", "33612345678", "33687654321", "33687541257"]
    people = {each["number"]: each for each in await here.contacts()}
    assert set(people) == {"33611223344", "33612345678", "33687654321", "33687541257"}
    assert people["33612345678"]["name"] == "NomContact"
    assert people["33687541257"]["name"] == ""
    groups = await here.groups()
    assert list(groups) == ["NomGroupe"]
    assert groups["NomGroupe"]["contacts"] == 2
    members = await here.contacts(group=groups["NomGroupe"]["id"])
    assert [each["number"] for each in members] == ["33687541257", "33687654321"]
    again = await here.upload(SEED.encode("cp1252"))
    assert again["counts"]["unchanged"] == 4
    assert len(await here.contacts()) == 4


async def test_bad_rows_are_reported_and_hold_up_nothing_else(here: Rig) -> None:
    lines = [
        "Groupe;Téléphone;Nom;Ville",
        "VIP;612345678;Zoé;Paris",
        "vip;3,36E+10;Rond;Lyon",
        ";;Vide;",
        ";abc;Lettres;",
        ";0142685300;Fixe;",
        ";+33 6 12 34 56 79;\"Dupont; Éva\";Nantes",
        "Vip ;0612345678;;Metz",
    ]  # fmt: skip
    done = await here.upload("\r\n".join(lines).encode("mac_roman"), file_name="clients.csv")
    assert (done["encoding"], done["separator"], done["header"]) == ("mac_roman", ";", True)
    assert done["columns"] == {"1": "group", "2": "number", "3": "name", "4": "Ville"}
    assert done["counts"] == {"rows": 7, "created": 2, "updated": 1, "unchanged": 0, "refused": 4, "noted": 1}
    people = {each["number"]: each for each in await here.contacts()}
    assert people["33612345678"]["attributes"] == {"Ville": "Metz"}
    assert people["33612345678"]["name"] == "Zoé"
    assert [group["name"] for group in people["33612345678"]["groups"]] == ["VIP"]
    assert people["33612345679"]["name"] == "Dupont; Éva"
    report = [line.split(";")[:3] for line in await here.report(done["id"])]
    assert (
        report
        == [
            ["2", "note", "leading_zero_restored"],
            ["3", "refused", "number_rounded"],
            ["4", "refused", "number_empty"],
            ["5", "refused", "number_not_numeric"],
            ["6", "refused", "number_not_mobile"],
        ]
        or report[4][2] == "number_impossible"
    )
    assert await here.contacts(attribute="Ville:Nantes") == [people["33612345679"]]


async def test_a_workbook_utf16_and_raw_bodies(here: Rig) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in (["Nom", "Mobile"], ["Anne", 33612345678], [None, None], ["Bo\nris", "0612345679"]):
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    done = await here.upload(out.getvalue(), file_name="a.xlsx")
    assert (done["state"], done["format"], done["counts"]["created"]) == ("finished", "xlsx", 2)
    assert {each["name"] for each in await here.contacts()} == {"Anne", "Bo ris"}
    text = "Numéro\tName\n33612345680\tÉloïse\n".encode("utf-16")
    answer = await here.api.post("/v1/imports?group=Neuf", content=text, headers={"Content-Type": "text/csv"})
    done = await here.ended(answer.json()["id"])
    assert (done["separator"], done["counts"]["created"]) == ("\t", 1)
    assert [group["name"] for group in done["groups_created"]] == ["Neuf"]
    broken = await here.upload(b"PK\x03\x04 this is no workbook", file_name="b.xlsx")
    assert (broken["state"], broken["problem"]) == ("failed", "file_unreadable: the workbook cannot be read")
    for bad in (b"", b"\x00\x01\x02\x03binary", b"\xd0\xcf\x11\xe0old"):
        refused = await here.api.post("/v1/imports", files={"file": ("x", bad)})
        assert refused.status_code == 422, refused.text
    assert len((await here.api.get("/v1/imports")).json()["items"]) == 3


async def test_a_dry_run_changes_nothing_and_can_then_be_started(here: Rig) -> None:
    await here.upload(b"33612345678;Anne")
    data = b"33612345678;Anna;New\n33612345679;Bo;new\n33612345679;Bob\nx\n"
    tried = await here.upload(data, dry_run="true")
    assert tried["counts"] == {"rows": 4, "created": 1, "updated": 2, "unchanged": 0, "refused": 1, "noted": 0}
    assert [row["problem"] is None for row in tried["preview"]] == [True, True, True, False]
    assert [each["name"] for each in await here.contacts()] == ["Anne"]
    assert await here.groups() == {}
    started = await here.api.post(f"/v1/imports/{tried['id']}:start")
    assert started.status_code == 202, started.text
    done = await here.ended(tried["id"])
    assert done["counts"] == tried["counts"]
    assert [each["name"] for each in await here.contacts()] == ["Anna", "Bob"]
    assert (await here.api.post(f"/v1/imports/{tried['id']}:start")).status_code == 409


async def test_undo_restores_what_nobody_touched_since(here: Rig) -> None:
    await here.upload(b"33612345600;Before")
    rows = "".join(f"336123456{n:02d};Name{n};Made\n" for n in range(20))
    done = await here.upload(rows.encode() + b"33612345601;Second name\n")
    people = {each["number"]: each for each in await here.contacts()}
    touched = people["33612345605"]
    changed = await here.api.patch(f"/v1/contacts/{touched['id']}", json={"name": "By hand"})
    assert changed.status_code == 200, changed.text
    undone = await here.api.post(f"/v1/imports/{done['id']}:undo")
    assert undone.status_code == 202, undone.text
    end = await here.ended(done["id"])
    assert end["undone"] == {"removed": 18, "restored": 1, "kept": 1, "groups_removed": 0}
    assert {each["number"]: each["name"] for each in await here.contacts()} == {
        "33612345600": "Before",
        "33612345605": "By hand",
    }
    assert (await here.groups())["Made"]["contacts"] == 1
    other = await here.upload(b"33612345699;X;Alone")
    await here.api.post(f"/v1/imports/{other['id']}:undo")
    assert (await here.ended(other["id"]))["undone"]["groups_removed"] == 1
    assert "Alone" not in await here.groups()


async def test_the_same_upload_again_with_its_key(here: Rig) -> None:
    headers = {"Idempotency-Key": "once"}
    first = await here.api.post("/v1/imports", files={"file": ("a.csv", b"33612345678")}, headers=headers)
    again = await here.api.post("/v1/imports", files={"file": ("a.csv", b"33612345678")}, headers=headers)
    other = await here.api.post("/v1/imports", files={"file": ("a.csv", b"33612345679")}, headers=headers)
    assert first.json()["id"] == again.json()["id"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    watched = await here.api.get(f"/v1/imports/{first.json()['id']}/progress")
    assert sse_of(watched.text)[-1]["state"] == "finished"


async def test_contacts_by_hand(here: Rig) -> None:
    api = here.api
    group = (await api.post("/v1/groups", json={"name": " Clients  fidèles "})).json()
    assert group["name"] == "Clients fidèles"
    assert (await api.post("/v1/groups", json={"name": "CLIENTS FIDÈLES"})).json()["code"] == "group_exists"
    body = {"number": "06 12 34 56 78", "name": "Éloïse Du Pont", "groups": [group["id"]], "attributes": {"a.b": "$x"}}
    made = await api.post("/v1/contacts", json=body, headers={"Idempotency-Key": "k"})
    assert made.status_code == 201, made.text
    assert (await api.post("/v1/contacts", json=body, headers={"Idempotency-Key": "k"})).json() == made.json()
    assert (await api.post("/v1/contacts", json=body)).json()["code"] == "contact_exists"
    contact = made.json()
    path = f"/v1/contacts/{contact['id']}"
    assert (contact["number"], contact["attributes"]) == ("33612345678", {"a.b": "$x"})
    for prefix in ("0612", "+33 6 12", "336", "00336", "elo", "PON", "du elo"):
        found = (await api.get("/v1/contacts/search", params={"prefix": prefix})).json()
        assert [each["id"] for each in found] == [contact["id"]], prefix
    for prefix in ("0613", "lo", "elo x", "--", "336123456789"):
        assert (await api.get("/v1/contacts/search", params={"prefix": prefix})).json() == [], prefix
    etag = (await api.get(path)).headers["ETag"]
    changed = await api.patch(
        path, json={"attributes": {"a.b": None, "c": "d"}, "language": "fr"}, headers={"If-Match": etag}
    )
    assert (changed.json()["attributes"], changed.json()["version"]) == ({"c": "d"}, 2)
    assert (await api.patch(path, json={"name": "x"}, headers={"If-Match": etag})).status_code == 412
    assert (await api.delete(path, headers={"If-Match": etag})).status_code == 412
    members = f"/v1/groups/{group['id']}/members"
    left = await api.post(members + ":remove", json={"numbers": ["0612345678", "0612345679"]})
    assert left.json() == {"changed": 1, "unknown": ["33612345679"]}
    assert (await api.post(members, json={"contacts": [contact["id"], "ctc_0"]})).json()["changed"] == 1
    assert (await api.get(f"/v1/groups/{group['id']}")).json()["contacts"] == 1
    for bad in ({"number": "1"}, {"number": "0612345670", "groups": ["grp_0"]}, {"number": "0612345670", "nam": "x"}):
        assert (await api.post("/v1/contacts", json=bad)).status_code == 422
    assert (await api.delete(f"/v1/groups/{group['id']}")).status_code == 204
    assert (await api.get(path)).json()["groups"] == []
    assert (await api.post("/v1/groups", json={"name": "clients fidèles"})).status_code == 201
    assert (await api.delete(path)).status_code == 204
    assert (await api.get(path)).json()["code"] == "contact_unknown"


async def test_who_was_erased_stays_erased_and_who_said_stop_is_marked(here: Rig) -> None:
    await here.upload(b"33612345678;Anne\n33612345679;Bo\n")
    anne, bo = await here.contacts()
    erased = await here.api.post(f"/v1/contacts/{anne['id']}:erase")
    assert erased.status_code < 300, erased.text
    batches = here.mongo.database("contacts")["import_batches"]
    bodies = [document["body"] async for document in batches.find({})]
    assert len(bodies) == 1
    assert b"33612345679" in bodies[0]
    assert b"33612345678" not in bodies[0]
    stopped = await here.api.post("/v1/suppressions", json={"numbers": ["33612345679"]})
    assert stopped.status_code < 300, stopped.text
    done = await here.upload(b"33612345678;Anne\n33612345679;Bo\n")
    assert (done["counts"]["refused"], done["counts"]["unchanged"]) == (1, 1)
    assert [line.split(";")[2] for line in await here.report(done["id"])] == ["number_erased"]
    again = await here.api.post("/v1/contacts", json={"number": "0612345678"})
    assert (again.status_code, again.json()["code"]) == (409, "number_erased")
    assert [(each["id"], each["suppressed"]) for each in await here.contacts()] == [(bo["id"], "manual")]
    numbers = ["33612345678", "33612345670"]
    counted = await here.api.post("/v1/contacts/count", json={"audience": {"everyone": True, "numbers": numbers}})
    assert counted.json() == {"recipients": 3, "suppressed": 2, "by_country": {"FR": 1}}


async def test_an_account_sees_nothing_of_another(here: Rig) -> None:
    done = await here.upload(b"33612345678;Anne;G")
    contact = (await here.contacts())[0]
    group = (await here.groups())["G"]
    paths = [f"/v1/contacts/{contact['id']}", f"/v1/groups/{group['id']}", f"/v1/imports/{done['id']}"]
    for path in [*paths, paths[2] + "/errors", paths[2] + "/progress"]:
        assert (await here.other.get(path)).status_code == 404, path
    for path in paths:
        assert (await here.other.delete(path)).status_code == 404, path
    assert (await here.other.patch(paths[0], json={"name": "x"})).status_code == 404
    assert (await here.other.post(paths[1] + "/members", json={"numbers": ["0612345678"]})).status_code == 404
    assert (await here.other.post(paths[2] + ":undo")).status_code == 404
    for path in ("/v1/contacts", "/v1/groups", "/v1/imports"):
        assert (await here.other.get(path)).json()["items"] == []
    assert (await here.other.get("/v1/contacts/search", params={"prefix": "336"})).json() == []
    assert (await here.other.get("/v1/contacts", params={"group": group["id"]})).status_code == 404
    asked = AudienceRequested(
        campaign="cmp_1", account="acc_2", page=0, audience=Audience(everyone=True, groups=[group["id"]])
    )
    await here.bus.publish(AUDIENCE_REQUESTED, [asked])
    await until(lambda: here.pages)
    assert here.pages[0].recipients == []
    assert (await here.contacts()) == [contact]


async def test_a_campaign_gets_each_number_once_and_in_order(here: Rig) -> None:
    rows = [f"3361200{n:04d};Name {n};{'odd' if n % 2 else 'even'}" for n in range(1200)]
    await here.upload("\n".join(rows).encode())
    await here.upload(b"number;ville\n33612000003;Paris\n33612000009;Paris\n", file_name="b.csv")
    audience_file = await here.upload(
        b"number;name;code\n33612000004;File;A1\n33799999999;Nobody;B2\n33799999999;;B3\n", kind="audience"
    )
    assert audience_file["counts"]["created"] == 2
    groups = await here.groups()
    odd, even = groups["odd"]["id"], groups["even"]["id"]
    numbers = [f"3361200{n:04d}" for n in range(1200)]
    cases = [
        (Audience(everyone=True), numbers),
        (Audience(groups=[odd, even, odd]), numbers),
        (Audience(groups=[odd]), numbers[1::2]),
        (Audience(everyone=True, minus_groups=[odd]), numbers[0::2]),
        (Audience(groups=[odd], minus_groups=[odd]), []),
        (Audience(groups=[even], numbers=["33612000001", "33700000000"]),
         [numbers[0], numbers[1], *numbers[2::2], "33700000000"]),
        (Audience(groups=[odd], numbers=["33612000001"], minus_groups=[odd]), []),
        (Audience(attributes={"ville": "Paris"}), ["33612000003", "33612000009"]),
        (Audience(groups=[even], attributes={"ville": "Paris"}), []),
        (Audience(file=audience_file["id"]), ["33612000004", "33799999999"]),
        (Audience(file=audience_file["id"], groups=[odd]), sorted([*numbers[1::2], "33612000004", "33799999999"])),
        (Audience(), []),
    ]  # fmt: skip
    for number, (audience, wanted) in enumerate(cases):
        got: list[str] = []
        after, page = "", 0
        while True:
            asked = AudienceRequested(
                campaign=f"cmp_{number}", account="acc_1", page=page, after=after, audience=audience
            )
            await here.bus.publish(AUDIENCE_REQUESTED, [asked])
            await until(partial(_page, here, number, page))
            answer = _page(here, number, page)
            assert answer is not None
            got += [recipient.number for recipient in answer.recipients]
            if answer.last:
                break
            assert len(answer.recipients) == 500
            after, page = got[-1], page + 1
        assert got == wanted, number
    from_file = _page(here, 9, 0)
    assert from_file is not None
    first, second = from_file.recipients
    assert (first.name, first.attributes, first.contact is not None) == ("File", {"code": "A1"}, True)
    assert (second.name, second.attributes, second.contact) == ("Nobody", {"code": "B3"}, None)
    count = await here.api.post(
        "/v1/contacts/count", json={"audience": {"everyone": True, "numbers": ["+44 7400 123456"]}}
    )
    assert count.json() == {"recipients": 1201, "suppressed": 0, "by_country": {"FR": 1200, "GB": 1}}
    sample = (await here.api.post("/v1/contacts/sample", json={"audience": {"groups": [odd]}, "size": 2})).json()
    assert [each["name"] for each in sample["recipients"]] == ["Name 1", "Name 3"]
    unknown = await here.api.post("/v1/contacts/count", json={"audience": {"groups": ["grp_0"]}})
    assert unknown.status_code == 404


def _page(here: Rig, number: int, page: int) -> AudiencePage | None:
    return next((each for each in here.pages if each.campaign == f"cmp_{number}" and each.page == page), None)


async def test_two_processes_share_the_imports(settings: Settings) -> None:
    async with rig(settings) as one, rig(settings) as two:
        files = ["".join(f"33612{n:06d};Name {f};G{f}\n" for n in range(3000)).encode() for f in range(3)]
        started = [await each.upload(data, ended=False) for each, data in zip((one, two, one), files, strict=True)]
        ended = await asyncio.gather(*(one.ended(each["id"]) for each in started))
        assert [each["counts"]["created"] for each in ended] == [3000, 0, 0]
        assert [each["counts"]["updated"] for each in ended] == [0, 3000, 3000]
        people = await one.contacts()
        assert len(people) == 3000
        assert all(len(each["groups"]) == 3 for each in people)
