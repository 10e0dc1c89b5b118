"""Golden transcripts of the legacy door: what a client sends, and to the byte what it gets."""

import base64
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carillon.bus import BusDownError
from carillon.telemetry.metrics import ACCEPTED, REQUESTS
from ingest.domain.legacy_answer import LINES

GOOD = "number=33614806759&content=Test"
BASIC = {"authorization": "Basic " + base64.b64encode(b"me:s3cret").decode()}
XML = b"<sms><number>33614806759</number><content>Test</content></sms>"
NO_ONE = "KO - not authorised IP"


async def test_a_push_gives_its_id_and_is_said(ingest: Any) -> None:
    accepted, requests = ACCEPTED.value("legacy", "urgent"), REQUESTS.value("legacy", "accepted")
    answer = await ingest.push(GOOD)
    message = ingest.said[0]
    assert (answer.status, answer.headers["content-type"], answer.text) == (200, "text/plain", str(message.id))
    assert answer.headers["content-length"] == str(len(answer.body))
    assert "carillon-reason" not in answer.headers
    assert (message.account, message.door, message.number, message.text) == ("acc_1", "demo", "33614806759", "Test")
    assert 0 < message.id < 1 << 63
    assert (message.price_micros, message.lease_id) == (None, None)
    assert ACCEPTED.value("legacy", "urgent") == accepted + 1
    assert REQUESTS.value("legacy", "accepted") == requests + 1


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "headers"),
    [
        ("GET", "/Ext/demo.asp", GOOD, b"", {}),
        ("GET", "/ext/DEMO.ASP", GOOD.upper().replace("TEST", "Test"), b"", {}),
        ("POST", "/Ext/demo.asp", "", XML, {"content-type": "text/xml"}),
        ("POST", "/Ext/demo.asp", "", b"xmldata=" + XML, {"content-type": "application/x-www-form-urlencoded"}),
        ("POST", "/Ext/demo.asp", "", GOOD.encode(), {"content-type": "application/x-www-form-urlencoded"}),
        ("POST", "/Ext/demo.asp", "content=Other", XML, {}),
        ("GET", "/Ext/locked.asp", GOOD + "&login=me&password=s3cret", b"", {}),
        ("GET", "/Ext/locked.asp", GOOD, b"", BASIC),
        (
            "POST",
            "/Ext/locked.asp",
            "",
            XML.replace(b"<sms>", b"<sms><login>me</login><password>s3cret</password>"),
            {},
        ),
        ("POST", "/Ext/locked.asp", "", XML, BASIC),
    ],
)
async def test_ways_to_push(
    ingest: Any, method: str, path: str, query: str, body: bytes, headers: dict[str, str]
) -> None:
    answer = await ingest.ask(method, path, query.encode(), body, headers)
    assert [message.text for message in ingest.said] == ["Test"]
    assert answer.text == str(ingest.said[0].id)


@pytest.mark.parametrize(
    ("door", "query", "line", "reason"),
    [
        ("nobody", GOOD, NO_ONE, "not_authorised"),
        ("No%20Door!", GOOD, NO_ONE, "not_authorised"),
        ("", "", NO_ONE, "not_authorised"),
        ("open", GOOD, NO_ONE, "not_authorised"),
        ("closed", GOOD, NO_ONE, "not_authorised"),
        ("locked", GOOD, NO_ONE, "not_authorised"),
        ("locked", "login=me&password=wrong", NO_ONE, "not_authorised"),
        ("locked", "login=you&password=s3cret", NO_ONE, "not_authorised"),
        ("locked", "password=s3cret", NO_ONE, "not_authorised"),
        ("both", GOOD + "&login=me&password=s3cret", NO_ONE, "not_authorised"),
        ("demo", "", "KO - Empty number parameter", "number_empty"),
        ("demo", "number=%20&content=", "KO - Empty number parameter", "number_empty"),
        ("demo", "number=&number=33614806759&content=x", "KO - Empty number parameter", "number_empty"),
        ("demo", "number=abc&content=", "KO - Not numeric number parameter", "number_not_numeric"),
        ("demo", "number=33614806759", "KO - Empty content parameter", "content_empty"),
        ("demo", "number=33614806759&content=%20%09", "KO - Empty content parameter", "content_empty"),
        ("demo", "number=1234567&content=x", "KO - SMS rejected", "number_impossible"),
        ("demo", GOOD + "&senderid=TwelveLetter", "KO - SMS rejected", "sender_invalid"),
        ("demo", "number=33614806759&content=" + "a" * 161, "KO - SMS rejected", "content_too_long"),
        ("demo", GOOD + "&wappush=1", "KO - SMS rejected", "wap_url_invalid"),
        ("demo", GOOD + "&x=" + "a" * 65_536, "KO - SMS rejected", "body_too_large"),
        ("suspended", "number=33614806759", "KO - Empty content parameter", "content_empty"),
        ("suspended", GOOD, "KO - SMS rejected", "account_suspended"),
    ],
)
async def test_refusals_and_their_order(ingest: Any, door: str, query: str, line: str, reason: str) -> None:
    answer = await ingest.push(query, door)
    assert (answer.status, answer.headers["content-type"], answer.text) == (200, "text/plain", line)
    assert answer.headers["carillon-reason"] == reason
    assert ingest.said == []


async def test_an_address_is_checked_before_anything_else(ingest: Any) -> None:
    assert (await ingest.push("", peer="203.0.113.1")).text == NO_ONE
    assert (await ingest.push(GOOD, peer="::ffff:192.0.2.77")).text.isdigit()
    login = GOOD + "&login=me&password=s3cret"
    assert (await ingest.push(login, "both", peer="2001:db8::7")).text.isdigit()
    assert (await ingest.push(GOOD, "both", peer="2001:db8::7")).text == NO_ONE


async def test_only_a_trusted_proxy_may_say_whose_address_it_is(ingest: Any) -> None:
    said = {"x-forwarded-for": "192.0.2.5"}
    assert (await ingest.push(GOOD, headers=said, peer="203.0.113.1")).text == NO_ONE
    assert (await ingest.push(GOOD, headers=said, peer="198.51.100.1")).text.isdigit()
    lied = {"x-forwarded-for": "192.0.2.5, 203.0.113.9"}
    assert (await ingest.push(GOOD, headers=lied, peer="198.51.100.1")).text == NO_ONE


@pytest.mark.parametrize(
    ("door", "body", "reason"),
    [
        ("demo", b"<sms><number>", "xml_invalid"),
        ("demo", b'<!DOCTYPE a [<!ENTITY b "c">]>' + XML, "xml_invalid"),
        ("demo", b'<?xml version="1.0" encoding="utf-16"?>' + XML, "xml_encoding"),
        ("demo", XML + b" " * 65_536, "body_too_large"),
        ("locked", b"<sms><number>", "not_authorised"),
        ("locked", XML + b" " * 65_536, "not_authorised"),
    ],
)
async def test_a_body_that_cannot_be_read(ingest: Any, door: str, body: bytes, reason: str) -> None:
    answer = await ingest.ask("POST", f"/Ext/{door}.asp", body=body)
    assert answer.status == 200
    assert answer.text == (NO_ONE if reason == "not_authorised" else "KO - SMS rejected")
    assert answer.headers["carillon-reason"] == reason
    assert ("connection" in answer.headers) == (reason == "body_too_large")


async def test_one_reference_has_one_id(ingest: Any) -> None:
    first = await ingest.push(GOOD + "&ref=a1")
    again = await ingest.push(GOOD + "&ref=a1")
    other = await ingest.push(GOOD + "&ref=a2")
    assert first.text == again.text != other.text
    assert [message.client_ref for message in ingest.said] == ["a1", "a2"]


async def test_a_reference_whose_publish_failed_gets_its_id_again(ingest: Any) -> None:
    works = ingest.bus.publish

    async def fails(*args: Any, **named: Any) -> None:
        raise BusDownError("not confirmed")

    ingest.bus.publish = fails
    busy = await ingest.push(GOOD + "&ref=a1")
    ingest.bus.publish = works
    claimed = ingest.references.claims["acc_1 a1"].message
    answer = await ingest.push(GOOD + "&ref=a1")
    assert (busy.status, busy.headers["retry-after"], busy.headers["carillon-reason"]) == (
        503,
        "2",
        "broker_unavailable",
    )
    assert "KO" not in busy.text
    assert answer.text == str(claimed)
    assert [message.id for message in ingest.said] == [claimed]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("PUT", "/Ext/demo.asp", 405), ("HEAD", "/Ext/demo.asp", 405), ("GET", "/Ext/demo", 404), ("GET", "/Ext/", 404)],
)
async def test_what_is_no_push(ingest: Any, method: str, path: str, status: int) -> None:
    answer = await ingest.ask(method, path, GOOD.encode())
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"


def _percent(raw: bytes) -> bytes:
    return b"".join(b"%%%02X" % octet for octet in raw)


_value = st.binary(max_size=20) | st.binary(max_size=20).map(_percent) | st.text(max_size=20).map(str.encode)
_name = st.sampled_from(
    [
        b"number",
        b"content",
        b"typecontent",
        b"udh",
        b"sendertype",
        b"senderid",
        b"wappush",
        b"waptitle",
        b"ref",
        b"login",
    ]
)
_query = st.lists(st.tuples(_name, _value).map(b"=".join), max_size=8).map(b"&".join) | st.binary(max_size=100)
_start = st.sampled_from([b"", b"number=33614806759&content=a", b"number=33614806759&content=00&typecontent=bin"])
_body = st.binary(max_size=200) | st.binary(max_size=100).map(lambda inner: XML[:5] + inner + XML[5:])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    method=st.sampled_from(["GET", "POST"]),
    start=_start,
    query=_query,
    body=_body,
    kind=st.sampled_from(["", "text/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]),
    authorization=st.text(st.characters(max_codepoint=255), max_size=20),
)
async def test_any_bytes_get_an_id_or_a_line_of_the_contract(
    ingest: Any, method: str, start: bytes, query: bytes, body: bytes, kind: str, authorization: str
) -> None:
    headers = {"content-type": kind, "authorization": authorization}
    before = len(ingest.said)
    answer = await ingest.ask(method, "/Ext/demo.asp", start + b"&" + query, body, headers)
    assert answer.status == 200
    if answer.text in LINES:
        assert answer.headers["carillon-reason"]
        assert len(ingest.said) == before
    elif b"ref" not in query:
        assert answer.text == str(ingest.said[-1].id)
        assert len(ingest.said) == before + 1
