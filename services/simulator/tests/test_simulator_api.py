"""The HTTP side."""

import asyncio

import httpx
import pytest

from carillon.smpp import Status
from carillon.sms.udh import split_user_data
from simulator.operator import Operator
from simulator.testing import Connect


async def test_handset_shows_what_it_got(http: httpx.AsyncClient, bound: Connect) -> None:
    client = await bound()
    outcome = await client.submit("33612345678", b"hello \x1b\x65")
    [message] = (await http.get("/simulator/handsets/33612345678")).json()["messages"]
    assert message["text"] == "hello €"
    assert (message["sender"], message["encoding"]) == ("Carillon", "gsm")
    assert (message["parts"], message["parts_total"]) == (1, 1)
    assert message["message_ids"] == [outcome.message_id]
    await client.deliveries(1)
    [message] = (await http.get("/simulator/handsets/+33612345678")).json()["messages"]
    assert message["status"] == "delivered"
    assert (await http.get("/simulator/handsets/33600000000")).json()["messages"] == []


async def test_handsets_the_last_to_receive_first(http: httpx.AsyncClient, bound: Connect) -> None:
    client = await bound()
    for number in ("33612345671", "33612345672", "33612345671"):
        await client.submit(number, number.encode())
    answer = (await http.get("/simulator/handsets")).json()
    assert answer["total"] == 2
    assert [(one["number"], one["accepted"]) for one in answer["handsets"]] == [("33612345671", 2), ("33612345672", 1)]
    assert answer["handsets"][0]["latest"]["text"] == "33612345671"
    assert len((await http.get("/simulator/handsets?limit=1")).json()["handsets"]) == 1


async def test_counters_and_reset(http: httpx.AsyncClient, bound: Connect) -> None:
    client = await bound()
    for _ in range(2):
        await client.submit("33612345678")
    await client.deliveries(2)
    stats = (await http.get("/simulator/stats")).json()
    assert (stats["submits"], stats["accepted"], stats["unique"], stats["duplicates"]) == (2, 2, 1, 1)
    assert (stats["receipts_made"], stats["receipts_sent"]) == (2, 2)
    assert (stats["tps_peak"], stats["handsets"], stats["binds"]) == (2, 1, {"carillon": 1, "north": 0})
    assert (await http.get("/simulator/counts")).json() == {"33612345678": 2}
    await http.put("/simulator/faults", json={"fail_rate": 0.5})
    await http.post("/simulator/reset")
    stats = (await http.get("/simulator/stats")).json()
    assert (stats["submits"], stats["handsets"], stats["binds"]) == (0, 0, {"carillon": 1, "north": 0})
    assert (await http.get("/simulator/counts")).json() == {}
    assert (await http.get("/simulator/faults")).json()["fail_rate"] == 0
    assert (await client.submit("33612345678")).ok


async def test_reset_forgets_reports_to_come(http: httpx.AsyncClient, bound: Connect, operator: Operator) -> None:
    silent = await bound(acknowledges_with=None)
    await silent.submit("33612345678")
    await silent.deliveries(1)
    await http.put("/simulator/faults", json={"receipt_delay_s": 60})
    await silent.submit("33612345679")
    await http.post("/simulator/reset?keep=faults")
    assert operator.faults.receipt_delay_s == 60
    assert len(operator.reporting) == 0
    silent.bind.close("gone")
    client = await bound()
    await asyncio.sleep(0.05)
    assert client.delivered == []


async def test_faults_replace_or_change(http: httpx.AsyncClient) -> None:
    assert (await http.put("/simulator/faults", json={"tps_limit": 10})).json()["receipt_delay_s"] == 0.02
    answer = (await http.patch("/simulator/faults", json={"hex_ids": True})).json()
    assert (answer["tps_limit"], answer["hex_ids"]) == (10, True)
    answer = (await http.put("/simulator/faults", json={"rules": False})).json()
    assert (answer["tps_limit"], answer["hex_ids"], answer["rules"]) == (0, False, False)
    assert (await http.put("/simulator/faults", json={"fail_rate": 7})).status_code == 422
    assert (await http.put("/simulator/faults", json={"typo": 1})).status_code == 422
    assert (await http.get("/simulator/faults")).json() == answer


async def test_rules_are_listed(http: httpx.AsyncClient) -> None:
    rules = (await http.get("/simulator/rules")).json()
    assert rules[0] == {"ending": "0001", "meaning": "undelivered: the subscriber is absent"}


async def test_inbound_is_acknowledged(http: httpx.AsyncClient, bound: Connect) -> None:
    client = await bound()
    answer = await http.post("/simulator/inbound", json={"from": "33612345678", "to": "38080", "text": "STOP €"})
    assert answer.json() == {"parts": 1, "acknowledged": True, "statuses": ["ESME_ROK"]}
    [message] = client.delivered
    assert (message.source_addr, message.dest_addr, message.short_message) == ("33612345678", "38080", b"STOP \x1b\x65")
    assert not message.is_report


@pytest.mark.parametrize(("text", "data_coding"), [("long " * 100, 0), ("très œuvré " * 20, 8)])
async def test_long_inbound_comes_in_parts(
    http: httpx.AsyncClient, bound: Connect, text: str, data_coding: int
) -> None:
    client = await bound()
    request = {"from": "33612345678", "to": "38080", "text": text}
    answers = [(await http.post("/simulator/inbound", json=request)).json() for _ in range(2)]
    assert all(answer["acknowledged"] for answer in answers)
    assert len(client.delivered) == 2 * answers[0]["parts"]
    read = [split_user_data(message.short_message) for message in client.delivered[: answers[0]["parts"]]]
    octets = b"".join(body for _, body in read)
    assert octets == (text.encode("utf-16-be") if data_coding else text.encode())
    assert all(message.data_coding == data_coding and message.has_udh for message in client.delivered)
    references = {split_user_data(message.short_message)[0].octets[3] for message in client.delivered}
    assert len(references) == 2


async def test_inbound_refused_by_the_client(http: httpx.AsyncClient, bound: Connect) -> None:
    await bound(acknowledges_with=int(Status.X_T_APPN))
    answer = await http.post("/simulator/inbound", json={"from": "33612345678", "to": "38080", "text": "hi"})
    assert answer.json() == {"parts": 1, "acknowledged": False, "statuses": ["ESME_RX_T_APPN"]}


async def test_inbound_needs_a_bind(http: httpx.AsyncClient, bound: Connect) -> None:
    request = {"from": "33612345678", "to": "38080", "text": "hi"}
    answer = await http.post("/simulator/inbound", json=request)
    assert (answer.status_code, answer.json()["code"]) == (503, "not_bound")
    north = await bound(system_id="north")
    assert (await http.post("/simulator/inbound", json={**request, "system_id": "carillon"})).status_code == 503
    assert (await http.post("/simulator/inbound", json={**request, "system_id": "nobody"})).status_code == 503
    assert (await http.post("/simulator/inbound", json=request)).status_code == 200
    assert len(north.delivered) == 1


async def test_inbound_without_acknowledgement_is_sent_again(
    http: httpx.AsyncClient, bound: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.inbound.ACKNOWLEDGED_WITHIN_S", 0.05)
    silent = await bound(acknowledges_with=None)
    answer = await http.post("/simulator/inbound", json={"from": "33612345678", "to": "38080", "text": "hi"})
    assert answer.status_code == 504
    silent.bind.close("crashed")
    client = await bound()
    assert (await client.deliveries(1))[0].short_message == b"hi"


@pytest.mark.parametrize("field", ["from", "to"])
async def test_inbound_addresses_are_checked(http: httpx.AsyncClient, bound: Connect, field: str) -> None:
    request = {"from": "33612345678", "to": "38080", "text": "hi", field: "é\n"}
    assert (await http.post("/simulator/inbound", json=request)).status_code == 422


async def test_links_drop(http: httpx.AsyncClient, bound: Connect) -> None:
    client = await bound()
    assert (await http.post("/simulator/drop")).json() == {"dropped": 1}
    await client.bind.wait_closed()


async def test_page_shows_handsets_rules_and_callbacks(http: httpx.AsyncClient, bound: Connect) -> None:
    client = await bound()
    await client.submit("33612345678", b"<b>bold</b>")
    await http.get("/simulator/callbacks/mine?msgid=42&Status=handset")
    page = (await http.get("/simulator/")).text
    assert '<a href="/simulator/?number=33612345678">' in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "<b>" not in page
    assert "…0004" in page
    assert "handset" in page
    assert "<script" not in page
    assert "http://" not in page
    assert (await http.get("/simulator")).status_code == 307
    assert (await http.get("/readyz")).status_code == 200


async def test_page_of_a_handset_writes_back(http: httpx.AsyncClient, bound: Connect) -> None:
    client = await bound()
    await client.submit("33612345678")
    page = (await http.get("/simulator/?number=33612345678")).text
    assert 'name="to" value="Carillon"' in page
    answer = await http.post("/simulator/reply", data={"sender": "33612345678", "to": "38080", "text": "thanks"})
    assert answer.status_code == 303
    assert "Sent, and the client has it." in (await http.get(answer.headers["location"])).text
    await client.deliveries(1)
    assert any(message.short_message == b"thanks" for message in client.delivered)


async def test_page_says_why_nothing_was_sent(http: httpx.AsyncClient, bound: Connect) -> None:
    async def told(text: str = "hi", to: str = "38080") -> str:
        answer = await http.post("/simulator/reply", data={"sender": "33612345678", "to": to, "text": text})
        return (await http.get(answer.headers["location"])).text

    assert "Not sent: no client is bound." in await told()
    client = await bound(acknowledges_with=int(Status.SYSERR))
    assert "The client refused it." in await told()
    assert "Not sent:" in await told(text="x" * 60_000)
    assert "Not sent:" in await told(to="3" * 40)
    assert len(client.delivered) == 1
