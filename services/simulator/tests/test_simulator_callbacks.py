"""Callbacks in all forms, recorded for whoever has no server yet."""

import httpx
import pytest

from simulator.domain import callback_log
from simulator.domain.callback_log import Callback, CallbackLog, read_receipts

XML = b'<?xml version="1.0" encoding="UTF-8"?><receipt><msgid>42</msgid><Status>handset</Status></receipt>'
ONE = b'{"type": "message.delivered", "timestamp": "x", "data": {"id": "42", "status": "delivered"}}'
BATCH = b'{"type": "message.status", "data": [{"id": "42", "status": "delivered"}, {"id": "43", "status": "refused"}]}'


@pytest.mark.parametrize(
    ("query", "content_type", "body", "receipts"),
    [
        ("msgid=42&Status=not%20delivered", "", b"", (("42", "not delivered"),)),
        ("a=b&MSGID=42&status=handset", "", b"", (("42", "handset"),)),
        ("", "text/xml; charset=utf-8", XML, (("42", "handset"),)),
        ("", "application/json", ONE, (("42", "delivered"),)),
        ("", "application/json", BATCH, (("42", "delivered"), ("43", "refused"))),
        ("", "application/json", b'{"data": 7}', ()),
        ("", "application/json", b"{", ()),
        ("", "text/xml", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", ()),
        ("", "text/xml", b"<a", ()),
        ("", "text/plain", b"hello", ()),
    ],
)
def test_every_form_is_read(query: str, content_type: str, body: bytes, receipts: tuple[tuple[str, str], ...]) -> None:
    assert read_receipts(query, content_type, body) == receipts


async def test_callbacks_are_listed_newest_first(http: httpx.AsyncClient) -> None:
    await http.get("/simulator/callbacks?msgid=42&Status=operator")
    await http.post("/simulator/callbacks/mine", content=XML, headers={"content-type": "text/xml"})
    await http.post("/simulator/callbacks", content=BATCH, headers={"content-type": "application/json"})
    await http.get("/simulator/callbacks/mine/?msgid=42&Status=handset")
    calls = (await http.get("/simulator/callbacks.json?msgid=42")).json()
    assert [(call["method"], call["name"], call["msgid"], call["Status"]) for call in calls] == [
        ("GET", "mine", "42", "handset"),
        ("POST", "", "42", "delivered"),
        ("POST", "mine", "42", "handset"),
        ("GET", "", "42", "operator"),
    ]
    assert calls[2]["body"] == XML.decode()
    assert len((await http.get("/simulator/callbacks.json?name=mine")).json()) == 2
    assert [call["msgid"] for call in (await http.get("/simulator/callbacks.json?msgid=43&limit=1")).json()] == ["42"]
    stats = (await http.get("/simulator/callbacks/stats")).json()
    assert stats == {
        "callbacks": 4,
        "receipts": 5,
        "repeated": 1,
        "messages": 2,
        "by_status": {"operator": 1, "handset": 2, "delivered": 1, "refused": 1},
        "by_name": {"": 2, "mine": 2},
    }
    messages = (await http.get("/simulator/callbacks/messages")).json()
    assert messages == {"42": ["operator", "handset", "delivered", "handset"], "43": ["refused"]}


@pytest.mark.parametrize(
    ("name", "status"), [("503-again", 503), ("410-gone", 410), ("999-x", 200), ("12-x", 200), ("x", 200)]
)
async def test_the_name_can_choose_the_answer(http: httpx.AsyncClient, name: str, status: int) -> None:
    assert (await http.get(f"/simulator/callbacks/{name}?msgid=1&Status=handset")).status_code == status
    assert (await http.get("/simulator/callbacks/stats")).json()["callbacks"] == 1


@pytest.mark.parametrize("path", ["/simulator/callbacks/a/b", "/simulator/callbacksx", "/callbacks"])
async def test_other_paths_are_not_callbacks(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path)).status_code == 404


async def test_a_body_has_its_limit(http: httpx.AsyncClient) -> None:
    assert (await http.post("/simulator/callbacks", content=b"x" * 1_000_001)).status_code == 413
    assert (await http.post("/simulator/callbacks", content=b"x" * 1_000_000)).status_code == 200
    [call] = (await http.get("/simulator/callbacks.json")).json()
    assert len(call["body"]) == callback_log.KEPT_BODY_BYTES


async def test_reset_forgets_callbacks(http: httpx.AsyncClient) -> None:
    await http.get("/simulator/callbacks?msgid=42&Status=operator")
    await http.post("/simulator/reset")
    assert (await http.get("/simulator/callbacks.json")).json() == []
    assert (await http.get("/simulator/callbacks/stats")).json()["callbacks"] == 0


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback_log, "MAX_MESSAGES", 10)
    monkeypatch.setattr(callback_log, "MAX_NAMES", 10)
    log = CallbackLog(kept=10)
    for place in range(50):
        for status in ("operator", "handset") * 10:
            log.add(Callback(place, str(place), "GET", "", "", "", ((str(place), status),)))
    assert [call.received_ms for call in log.newest(100)] == [49] * 10
    assert sorted(log.statuses) == [str(place) for place in range(40, 50)]
    assert {len(statuses) for statuses in log.statuses.values()} == {10}
    assert len(log.by_name) == 10
    assert log.count == 1_000
