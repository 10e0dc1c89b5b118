"""Golden transcripts of the four forms, signatures, and which URLs may be called."""

import base64
import hashlib
import hmac
import json

import pytest

from carillon.events.message import CallbackForm, Status, StatusChanged
from receipt.callbacks.addresses import is_public
from receipt.callbacks.forms import is_told, request_of
from receipt.callbacks.targets import BadUrlError, Target, target_of

NOW_MS = 1_795_000_002_500


def _target(url: str, form: CallbackForm, *secrets: str) -> Target:
    return target_of("acc_1", url, form, secrets)


def _change(status: Status = "delivered", **fields: object) -> StatusChanged:
    values: dict[str, object] = {
        "id": 247_712_361_308_164_096, "account": "acc_1", "status": status, "previous": "submitted",
        "at": 1_795_000_002_000, "number": "33612345678", "sender": "Carillon", "lane": "bulk", "operator": "north",
        "accepted_at": 1_795_000_000_000,
    }  # fmt: skip
    return StatusChanged(**{**values, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "path", "host"),
    [
        ("http://client.example/sms", "/sms?msgid=247712361308164096&Status=handset", "client.example"),
        ("http://client.example:8080", "/?msgid=247712361308164096&Status=handset", "client.example:8080"),
        ("https://client.example/a?k=v&x=", "/a?k=v&x=&msgid=247712361308164096&Status=handset", "client.example"),
        (
            "http://client.example/é?q=à#top",
            "/%C3%A9?q=%C3%A0&msgid=247712361308164096&Status=handset",
            "client.example",
        ),
        ("http://[2001:db8::1]:81/x", "/x?msgid=247712361308164096&Status=handset", "[2001:db8::1]:81"),
        ("http://bücher.example/", "/?msgid=247712361308164096&Status=handset", "xn--bcher-kva.example"),
    ],
)
def test_query_form(url: str, path: str, host: str) -> None:
    request = request_of(_target(url, "query"), [_change()], NOW_MS).decode()
    assert request == f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Carillon\r\nAccept: */*\r\n\r\n"


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("submitted", "operator"), ("delivered", "handset"), ("undelivered", "not%20delivered"),
        ("refused", "not%20delivered"), ("suppressed", "not%20delivered"), ("cancelled", "not%20delivered"),
        ("lost", "lost%20notification"),
    ],
)  # fmt: skip
def test_legacy_words(status: Status, word: str) -> None:
    target = _target("http://client.example/", "query")
    assert is_told(target, status)
    assert f"&Status={word} HTTP/1.1" in request_of(target, [_change(status)], NOW_MS).decode()


@pytest.mark.parametrize("status", ["accepted", "routed", "ambiguous", "scheduled"])
def test_legacy_forms_are_silent_about_the_rest(status: Status) -> None:
    assert not is_told(_target("http://client.example/", "query"), status)
    assert not is_told(_target("http://client.example/", "xml"), status)
    assert is_told(_target("http://client.example/", "json"), status) == (status not in ("accepted", "routed"))


def test_xml_form() -> None:
    request = request_of(_target("http://client.example/x", "xml"), [_change("undelivered")], NOW_MS).decode()
    head, _, body = request.partition("\r\n\r\n")
    assert body == (
        '<?xml version="1.0" encoding="UTF-8"?>'
        "<receipt><msgid>247712361308164096</msgid><Status>not delivered</Status></receipt>"
    )
    assert head.splitlines()[0] == "POST /x HTTP/1.1"
    assert "Content-Type: text/xml; charset=utf-8" in head
    assert f"Content-Length: {len(body)}" in head


def test_json_form_is_a_standard_webhook_signed_with_both_secrets() -> None:
    secrets = [f"whsec_{base64.b64encode(bytes([n]) * 24).decode()}" for n in (1, 2)]
    change = _change(client_ref="a1", metadata={"k": [1]}, price_micros=70_000)
    request = request_of(_target("https://client.example/h", "json", *secrets), [change], NOW_MS)
    head, _, body = request.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().splitlines()[1:])
    assert json.loads(body) == {
        "type": "message.delivered",
        "timestamp": "2026-11-18T11:06:42.000Z",
        "data": {
            "id": "247712361308164096", "status": "delivered", "previous": "submitted",
            "at": "2026-11-18T11:06:42.000Z", "accepted_at": "2026-11-18T11:06:40.000Z", "to": "33612345678",
            "sender": "Carillon", "parts": 1, "operator": "north", "client_ref": "a1", "price_micros": 70_000,
            "metadata": {"k": [1]},
        },
    }  # fmt: skip
    assert headers["webhook-id"] == "msg_247712361308164096_delivered"
    assert headers["webhook-timestamp"] == "1795000002"
    signed = b"msg_247712361308164096_delivered.1795000002." + body
    expected = [
        "v1," + base64.b64encode(hmac.new(bytes([n]) * 24, signed, hashlib.sha256).digest()).decode() for n in (1, 2)
    ]
    assert headers["webhook-signature"].split(" ") == expected


def test_json_batch_form_has_one_id_for_the_same_receipts() -> None:
    target = _target("https://client.example/h", "json-batch", "whsec_c2VjcmV0")
    changes = [_change(id=n, status="delivered") for n in (1, 2, 3)]
    one, again = (request_of(target, changes, NOW_MS + later) for later in (0, 60_000))
    assert json.loads(one.partition(b"\r\n\r\n")[2])["data"][1]["id"] == "2"
    ids = [request.split(b"webhook-id: ")[1].split(b"\r\n")[0] for request in (one, again)]
    assert ids[0] == ids[1]


@pytest.mark.parametrize(
    "url",
    [
        "ftp://client.example/", "client.example/x", "http:///x", "http://user:pw@client.example/",
        "http://client.example/a b", "http://client.example/\r\nX: y", "http://client.example:99999/",
        "http://client.example\\@evil/", "http://" + "a" * 3_000, "http://exa mple/", "http://a_b!c/", "file:///etc",
    ],
)  # fmt: skip
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(BadUrlError):
        _target(url, "query")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "100.64.0.1",
        "255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "fec0::1",
        "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::7f00:1", "2002:7f00:1::", "64:ff9b::10.0.0.1", "64:ff9b:1::1",
        "2001:0:7f00:1::", "192.0.2.1", "localhost", "",
    ],
)  # fmt: skip
def test_addresses_inside_are_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_public(address)
