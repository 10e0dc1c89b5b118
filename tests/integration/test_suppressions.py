"""Suppressions and the consent log: STOP wins, erase stays erased, the chain holds, tenants are walls."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.integration.suppression_rig import HASH, FlakyBus, Rig, inbound, suppressions

from carillon.events.audience import OptedIn, OptedOut
from carillon.events.catalogue import (
    CONTACT_OPTED_IN,
    CONTACT_OPTED_OUT,
    INBOUND_ATTRIBUTED,
    MESSAGE_BOUNCED,
)
from carillon.events.message import Bounced
from carillon.runtime.chain import verify
from carillon.testing.bus_contract import eventually
from contacts.consent.entry import CONTENT, Entry
from contacts.consent.log import ConsentLog
from contacts.suppressions.domain import Change

pytestmark = pytest.mark.integration

NUMBER = "33612345678"
OTHER = "33687654321"


@pytest.fixture
async def bus() -> AsyncIterator[FlakyBus]:
    bus = FlakyBus()
    yield bus
    await bus.stop()


@pytest.fixture
async def rig(mongo_url: str, mongo_prefix: str, bus: FlakyBus) -> AsyncIterator[Rig]:
    async with suppressions(mongo_url, mongo_prefix, bus, bounces=2) as rig:
        yield rig


def outs(bus: FlakyBus) -> list[OptedOut]:
    return [record for record in bus.records(CONTACT_OPTED_OUT) if isinstance(record, OptedOut)]


def backs(bus: FlakyBus) -> list[OptedIn]:
    return [record for record in bus.records(CONTACT_OPTED_IN) if isinstance(record, OptedIn)]


async def reasons(rig: Rig, *numbers: str, account: str = "acc_one") -> dict[str, str]:
    return await rig.room.suppressed.reasons(account, numbers)


async def log_of(rig: Rig, client: Any = None, **parameters: Any) -> list[dict[str, Any]]:
    answer = await (client or rig.one).get("/v1/consents", params=parameters)
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def is_said(rig: Rig) -> bool:
    return await rig.database["suppressions"].count_documents({"unsaid": True}) == 0


async def test_numbers_are_added_listed_checked_and_lifted(rig: Rig, bus: FlakyBus) -> None:
    given = {"numbers": ["+33 6 12 34 56 78", "0687654321", "12", "33612345678"], "evidence": "by phone"}
    answer = (await rig.one.post("/v1/suppressions", json=given)).json()
    assert answer == {
        "read": 4, "added": 2, "known": 1, "refused": 1, "errors": [{"at": 2, "code": "number_impossible"}]
    }  # fmt: skip
    assert {(out.number, out.source, out.version) for out in outs(bus)} == {
        (NUMBER, "manual", 1),
        (OTHER, "manual", 1),
    }
    listed = (await rig.one.get("/v1/suppressions", params={"limit": 1})).json()
    more = (await rig.one.get("/v1/suppressions", params={"limit": 1, "cursor": listed["next"]})).json()
    assert {listed["items"][0]["number"], more["items"][0]["number"]} == {NUMBER, OTHER}
    assert more["next"] is None
    checked = (await rig.one.post("/v1/suppressions/check", json={"numbers": [NUMBER, "33600000001"]})).json()
    assert [(each["suppressed"], each["reason"]) for each in checked["items"]] == [(True, "manual"), (False, None)]
    assert (await rig.one.delete(f"/v1/suppressions/{NUMBER}")).json()["code"] == "evidence_missing"
    lifted = await rig.one.delete(f"/v1/suppressions/{NUMBER}", params={"evidence": "signed again"})
    assert lifted.status_code == 204
    assert [(back.number, back.version) for back in backs(bus)] == [(NUMBER, 2)]
    assert (await rig.one.delete(f"/v1/suppressions/{NUMBER}", params={"evidence": "again"})).status_code == 404
    assert await reasons(rig, NUMBER, OTHER) == {OTHER: "manual"}
    assert [(e["what"], e["evidence"]) for e in await log_of(rig, number=NUMBER)] == [
        ("opted_out", "by phone"),
        ("opted_in", "signed again (by key_one)"),
    ]


async def test_a_list_is_imported_once_however_often_it_is_sent(rig: Rig) -> None:
    body = b"numero;nom\r\n" + b"".join(b"336%08d;x\r\n" % place for place in range(1_200)) + b"nonsense;y\r\n"
    first = (await rig.one.post("/v1/suppressions/import", content=body)).json()
    again = (await rig.one.post("/v1/suppressions/import", content=body)).json()
    assert (first["read"], first["added"], first["refused"], first["errors"][0]) == (
        1_201, 1_200, 1, {"at": 1_202, "code": "number_not_numeric"}
    )  # fmt: skip
    assert (again["added"], again["known"]) == (0, 1_200)
    assert await reasons(rig, "33600000007") == {"33600000007": "imported"}
    verdict = (await rig.one.get("/v1/consents/verify")).json()
    assert (verdict["valid"], verdict["entries"]) == (True, 1_200)


async def test_stop_and_start_from_a_handset(rig: Rig, bus: FlakyBus) -> None:
    await bus.publish(INBOUND_ATTRIBUTED, [inbound(1, "Arr\u00eat!", NUMBER, at=1_000)])
    await eventually(lambda: len(outs(bus)) == 1)
    await bus.publish(INBOUND_ATTRIBUTED, [inbound(2, "start", NUMBER, at=2_000)])
    await eventually(lambda: len(backs(bus)) == 1)
    assert await reasons(rig, NUMBER) == {}
    # the broker delivers the first again: it was said before the handset's last word
    await bus.publish(INBOUND_ATTRIBUTED, [inbound(1, "Arr\u00eat!", NUMBER, at=1_000)])
    await bus.idle()
    assert await reasons(rig, NUMBER) == {}
    await bus.publish(INBOUND_ATTRIBUTED, [inbound(3, "STOP", NUMBER, at=3_000), inbound(4, "OK", NUMBER, at=3_001)])
    await eventually(lambda: len(outs(bus)) == 2)
    assert await reasons(rig, NUMBER) == {NUMBER: "stop"}
    assert await reasons(rig, NUMBER, account="acc_two") == {}
    await bus.idle()
    assert [(e["what"], e["source"]) for e in await log_of(rig)] == [
        ("opted_out", "stop"), ("opted_in", "start"), ("opted_out", "stop")
    ]  # fmt: skip
    assert '"STOP"' in (await log_of(rig))[2]["evidence"]


async def test_a_stop_outweighs_what_a_list_said_and_a_list_does_not_outweigh_a_stop(rig: Rig, bus: FlakyBus) -> None:
    await rig.one.post("/v1/suppressions/import", content=NUMBER.encode())
    await bus.publish(INBOUND_ATTRIBUTED, [inbound(1, "STOP", NUMBER, at=1_000)])
    await bus.idle()
    assert await reasons(rig, NUMBER) == {NUMBER: "stop"}
    await rig.one.post("/v1/suppressions/import", content=NUMBER.encode())
    assert await reasons(rig, NUMBER) == {NUMBER: "stop"}


async def test_unclear_texts_wait_for_a_person(rig: Rig, bus: FlakyBus) -> None:
    texts = [
        inbound(1, "STOP 12345", NUMBER, at=1),
        inbound(2, "please stop that", OTHER, at=2),
        inbound(3, "STOP", "33600000009", at=3, account=None),
    ]
    await bus.publish(INBOUND_ATTRIBUTED, texts)
    await bus.publish(INBOUND_ATTRIBUTED, texts)
    await bus.idle()
    listed = (await rig.one.get("/v1/suppressions/reviews")).json()["items"]
    assert [(each["id"], each["text"]) for each in listed] == [("2", "please stop that"), ("1", "STOP 12345")]
    assert (await rig.two.get("/v1/suppressions/reviews")).json()["items"] == []
    assert (await rig.two.post("/v1/suppressions/reviews/1", json={"decision": "stop"})).status_code == 404
    await rig.one.post("/v1/suppressions/reviews/1", json={"decision": "ignore"})
    await rig.one.post("/v1/suppressions/reviews/2", json={"decision": "stop"})
    assert await reasons(rig, NUMBER, OTHER) == {OTHER: "stop"}
    assert (await rig.one.get("/v1/suppressions/reviews")).json()["items"] == []


async def test_numbers_that_do_not_exist_are_flagged_then_suppressed(rig: Rig, bus: FlakyBus) -> None:
    def bounced(message: int, number: str = NUMBER) -> Bounced:
        return Bounced(id=message, account="acc_one", number=number, error="unknown_number", at=1_000 + message)

    await bus.publish(MESSAGE_BOUNCED, [bounced(1), bounced(1), bounced(2, OTHER)])
    await bus.publish(MESSAGE_BOUNCED, [bounced(1)])
    await bus.idle()
    flagged = (await rig.one.get("/v1/suppressions/bounces")).json()["items"]
    assert [(each["number"], each["messages"]) for each in flagged] == [(OTHER, 1), (NUMBER, 1)]
    assert await reasons(rig, NUMBER) == {}
    await bus.publish(MESSAGE_BOUNCED, [bounced(3)])
    await bus.idle()
    assert await reasons(rig, NUMBER, OTHER) == {NUMBER: "bounced"}
    assert [(out.number, out.source) for out in outs(bus)] == [(NUMBER, "bounced")]


async def test_an_erased_person_cannot_be_brought_back_by_an_import(rig: Rig, bus: FlakyBus) -> None:
    await rig.add_contact("ctc_1", NUMBER)
    await rig.one.post("/v1/consents", json={"number": NUMBER, "evidence": "form of 1 May, name Anne"})
    await bus.publish(INBOUND_ATTRIBUTED, [inbound(1, "stop all this", NUMBER, at=1)])
    await bus.idle()
    known = (await rig.one.get("/v1/contacts/export", params={"number": NUMBER})).json()
    assert known["contact"]["attributes"] == {"town": "Nantes"}
    assert known["groups"] == [{"id": "grp_1", "name": "G"}]
    assert [entry["evidence"] for entry in known["consents"]] == ["form of 1 May, name Anne"]
    assert [text["text"] for text in known["texts"]] == ["stop all this"]

    assert (await rig.two.post("/v1/contacts/ctc_1:erase")).status_code == 404
    assert (await rig.one.post("/v1/contacts/ctc_1:erase")).json()["erased"] is True
    everything = [json.dumps(d, default=str) async for d in _documents(rig)]
    assert [text for text in everything if NUMBER in text or "Anne" in text or "stop all" in text] == []
    assert (await rig.one.get("/v1/consents/verify")).json()["valid"] is True
    assert [(out.number, out.hash) for out in outs(bus)] == [("", HASH.of("acc_one", NUMBER).hex())]

    await rig.add_contact("ctc_2", NUMBER)  # imported again
    await rig.one.post("/v1/suppressions/import", content=NUMBER.encode())
    await bus.publish(INBOUND_ATTRIBUTED, [inbound(2, "STOP", NUMBER, at=2)])
    await bus.idle()
    assert await reasons(rig, NUMBER) == {NUMBER: "erased"}
    listed = (await rig.one.get("/v1/suppressions")).json()["items"]
    assert [(each["number"], each["reason"]) for each in listed] == [(None, "erased")]
    consents = (await rig.one.get("/v1/contacts/ctc_2/consents")).json()["items"]
    assert [(e["what"], e["number"], e["evidence"]) for e in consents] == [
        ("given", None, None),
        ("erased", None, None),
    ]
    assert (await rig.one.post("/v1/contacts/ctc_2:erase")).json()["erased"] is True
    assert (await rig.one.get("/v1/contacts/ctc_2/consents")).status_code == 404
    # who comes back by their own will is written to again
    await rig.one.delete(f"/v1/suppressions/{NUMBER}", params={"evidence": "new form"})
    assert await reasons(rig, NUMBER) == {}


async def _documents(rig: Rig) -> AsyncIterator[dict[str, Any]]:
    for name in await rig.database.list_collection_names():
        async for document in rig.database[name].find({}):
            yield document


async def test_a_change_while_the_broker_is_away_is_durable_and_said_by_the_sweeper(rig: Rig, bus: FlakyBus) -> None:
    await rig.add_contact("ctc_1", OTHER)
    bus.is_away = True
    assert (await rig.one.post("/v1/suppressions", json={"numbers": [NUMBER]})).json()["added"] == 1
    assert (await rig.one.post("/v1/contacts/ctc_1:erase")).json()["erased"] is True
    assert await reasons(rig, NUMBER, OTHER) == {NUMBER: "manual", OTHER: "erased"}
    assert (outs(bus), await is_said(rig), await log_of(rig)) == ([], False, [])
    bus.is_away = False
    async with asyncio.timeout(15):
        while not await is_said(rig):
            await asyncio.sleep(0.1)
    assert {out.number for out in outs(bus)} == {NUMBER, ""}
    assert sorted(entry["what"] for entry in await log_of(rig)) == ["erased", "opted_out"]
    assert await rig.database["suppressions"].count_documents({"pending": {"$exists": True}}) == 0


async def test_tenants_are_walls(rig: Rig) -> None:
    await rig.add_contact("ctc_1", NUMBER)
    await rig.one.post("/v1/suppressions", json={"numbers": [NUMBER]})
    assert (await rig.two.get("/v1/suppressions")).json()["items"] == []
    assert (await rig.two.delete(f"/v1/suppressions/{NUMBER}", params={"evidence": "x"})).status_code == 404
    assert (await rig.two.get("/v1/contacts/ctc_1/consents")).status_code == 404
    assert (await rig.two.get("/v1/consents")).json()["items"] == []
    assert (await rig.two.get("/v1/consents/verify")).json()["entries"] == 0
    assert (await rig.two.get("/v1/consents/export")).content == b""
    known = (await rig.two.get("/v1/contacts/export", params={"number": NUMBER})).json()
    assert (known["contact"], known["suppression"], known["consents"]) == (None, None, [])
    checked = (await rig.two.post("/v1/suppressions/check", json={"numbers": [NUMBER]})).json()
    assert checked["items"][0]["suppressed"] is False
    assert await reasons(rig, NUMBER) == {NUMBER: "manual"}


async def test_many_processes_append_to_one_log_and_it_is_one_chain(
    mongo_url: str, mongo_prefix: str, bus: FlakyBus
) -> None:
    async with suppressions(mongo_url, mongo_prefix, bus) as rig:
        logs = [ConsentLog(rig.database, HASH) for _ in range(6)]

        async def write(log: ConsentLog, who: int) -> None:
            for turn in range(8):
                numbers = [f"336{who}{turn}{place:06d}" for place in range(1 + (who + turn) % 5)]
                entries = [
                    Entry(
                        id=f"{number}", account="acc_one", number=number, number_hash=HASH.of("acc_one", number),
                        what="given", source="api", evidence="x", at=turn,
                    )
                    for number in numbers
                ]  # fmt: skip
                await log.append(entries)
                await log.append(entries)  # said again: nothing new

        await asyncio.gather(*(write(log, who) for who, log in enumerate(logs)))
        expected = sum(1 + (who + turn) % 5 for who in range(6) for turn in range(8))
        exported = (await rig.one.get("/v1/consents/export")).text.splitlines()
        entries = [json.loads(line) for line in exported]
        assert len({entry["id"] for entry in entries}) == len(entries) == expected
        verdict = verify(entries, CONTENT)
        assert (verdict.entries, verdict.broken_at) == (expected, None)
        assert (await rig.one.get("/v1/consents/verify")).json()["head"] == verdict.head


@pytest.mark.parametrize(
    ("field", "value", "broken"),
    [("at", 7, True), ("what", "opted_in", True), ("number", OTHER, True), ("evidence", "never", True),
     ("number", None, False), ("evidence", None, False)],
)  # fmt: skip
async def test_what_is_changed_in_the_database_shows(rig: Rig, field: str, value: object, broken: bool) -> None:
    changes = [
        Change(id=f"chg_{place}", account="acc_one", number=f"3361234567{place}", reason="manual", source="manual",
               evidence="asked", at=1)
        for place in range(4)
    ]  # fmt: skip
    await rig.room.change.apply(changes)
    await rig.database["consents"].update_one({"account": "acc_one", "sequence": 3}, {"$set": {field: value}})
    verdict = (await rig.one.get("/v1/consents/verify")).json()
    assert (verdict["valid"], verdict["broken_at"]) == (not broken, 3 if broken else None)
