"""`POST /v1/messages` and its quote, as a client sees them."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate

from carillon.bus import BusDownError
from carillon.events.catalogue import MESSAGE_DEFERRED
from carillon.mongo.nodes import NoNodeError
from carillon.runtime.clock import rfc3339
from carillon.testing.clock import START_MS

ONE = {"to": "+33614806759", "text": "Test"}


def problem(answer: Any) -> tuple[int, str, list[str | None]]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status, answer.json["code"], [error.get("pointer") for error in answer.json.get("errors", [])]


async def test_one_message(ingest: Any) -> None:
    answer = await ingest.post("/v1/messages", ONE)
    message = ingest.said[0]
    assert (answer.status, answer.json) == (202, {"id": str(message.id), "status": "accepted", "parts": 1})
    assert (message.number, message.text, message.lane, message.door) == ("33614806759", "Test", "urgent", "key_1")
    assert (message.sender, message.on_ambiguous, message.expires_at) == ("Default", "hold", None)


async def test_a_message_to_be_sent_later_is_deferred_with_its_id(ingest: Any) -> None:
    answer = await ingest.post("/v1/messages", {**ONE, "send_at": rfc3339(START_MS + 5_000), "validity_s": 60})
    (deferred,) = ingest.bus.records(MESSAGE_DEFERRED)
    assert (answer.status, answer.json["status"]) == (202, "scheduled")
    assert answer.json["id"] == str(deferred.message.id)
    assert (deferred.send_at, deferred.message.accepted_at) == (START_MS + 5_000, START_MS)
    assert deferred.message.expires_at == START_MS + 65_000
    assert ingest.said == []
    batch = [{**ONE, "send_at": rfc3339(START_MS - 1)}, {**ONE, "send_at": rfc3339(START_MS + 1)}]
    answer = await ingest.post("/v1/messages", {"messages": batch})
    assert [result["status"] for result in answer.json["results"]] == ["accepted", "scheduled"]
    assert [len(ingest.said), len(ingest.bus.records(MESSAGE_DEFERRED))] == [1, 2]


async def test_every_field(ingest: Any) -> None:
    await ingest.post(
        "/v1/messages",
        {
            **ONE, "sender": "+33600000000", "lane": "bulk", "validity_s": 60, "client_ref": "order 1",
            "callback": {"url": "https://example.com/sms?x=1", "form": "json"}, "on_ambiguous": "resend",
            "metadata": {"order": {"id": 7, "tags": ["a", None, 1.5, True]}},
        },
    )  # fmt: skip
    message = ingest.said[0]
    assert (message.sender, message.sender_type, message.lane) == ("33600000000", "international", "bulk")
    assert (message.expires_at, message.client_ref) == (START_MS + 60_000, "order 1")
    assert (message.callback_url, message.callback_form) == ("https://example.com/sms?x=1", "json")
    assert (message.on_ambiguous, message.metadata) == ("resend", {"order": {"id": 7, "tags": ["a", None, 1.5, True]}})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"text": "a" * 161}, {"parts": 2, "encoding": "gsm"}),
        ({"text": "œ" * 71}, {"parts": 2, "encoding": "ucs2"}),
        ({"binary": {"data": "00FF"}}, {"encoding": "binary", "data": "00ff", "text": None, "udh": None}),
        ({"binary": {"data": "00", "udh": "050003AB0201"}}, {"udh": "050003ab0201"}),
        ({"binary": {"data": "00" * 141}}, {"parts": 2}),
        ({"wap_push": {"url": "https://example.com/", "title": "A"}}, {"encoding": "binary", "data_coding": 0xF5}),
        ({"text": "x", "to": "06 14 80 67 59"}, {"number": "33614806759"}),
        ({"text": "x", "sender": "36111"}, {"sender": "36111", "sender_type": "national"}),
    ],
)
async def test_contents_and_addresses(ingest: Any, fields: dict[str, Any], expected: dict[str, Any]) -> None:
    answer = await ingest.post("/v1/messages", {"to": "33614806759", **fields})
    assert answer.status == 202
    assert {name: getattr(ingest.said[0], name) for name in expected} == expected


REFUSED = [
    ({"text": "x"}, "field_invalid", "#"),
    ({"to": "", "text": "x"}, "number_empty", "#/to"),
    ({"to": "abc", "text": "x"}, "number_not_numeric", "#/to"),
    ({"to": "33140000000", "text": "x"}, "number_not_mobile", "#/to"),
    ({"to": 33614806759, "text": "x"}, "field_invalid", "#/to"),
    ({**ONE, "txt": "x"}, "field_unknown", "#/txt"),
    ({"to": "33614806759"}, "content_not_one", "#/text"),
    ({**ONE, "binary": {"data": "00"}}, "content_not_one", "#/text"),
    ({"to": "33614806759", "text": " "}, "content_empty", "#/text"),
    ({"to": "33614806759", "text": "a" * 40_000}, "field_invalid", "#/text"),
    ({"to": "33614806759", "binary": {"data": "0"}}, "hex_invalid", "#/binary/data"),
    ({"to": "33614806759", "binary": {"data": "00", "udh": "01"}}, "udh_invalid", "#/binary/udh"),
    ({"to": "33614806759", "wap_push": {"url": "nowhere"}}, "wap_url_invalid", "#/wap_push/url"),
    (
        {"to": "33614806759", "wap_push": {"url": "http://a.fr", "title": "t" * 51}},
        "wap_title_too_long",
        "#/wap_push/title",
    ),
    ({**ONE, "sender": "Twelve chars"}, "sender_invalid", "#/sender"),
    ({**ONE, "lane": "fast"}, "field_invalid", "#/lane"),
    ({**ONE, "validity_s": 0}, "field_invalid", "#/validity_s"),
    ({**ONE, "callback": {"url": "ftp://example.com"}}, "callback_invalid", "#/callback/url"),
    ({**ONE, "callback": {"url": "https://me:pw@example.com"}}, "callback_invalid", "#/callback/url"),
    ({**ONE, "callback": {"url": "https://a.fr", "form": "soap"}}, "field_invalid", "#/callback/form"),
    ({**ONE, "client_ref": ""}, "field_invalid", "#/client_ref"),
    ({**ONE, "metadata": {"$set": 1}}, "metadata_invalid", "#/metadata"),
    ({**ONE, "metadata": {"a\0": 1}}, "metadata_invalid", "#/metadata"),
    ({**ONE, "metadata": {"a": 1 << 64}}, "metadata_invalid", "#/metadata"),
    ({**ONE, "metadata": {"a": {"a": {"a": {"a": {}}}}}}, "metadata_invalid", "#/metadata"),
    ({**ONE, "metadata": {"a": "x" * 2_048}}, "metadata_too_large", "#/metadata"),
    ({**ONE, "send_at": "2027-01-01T00:00:00"}, "send_at_invalid", "#/send_at"),
    ({**ONE, "send_at": "tomorrow"}, "send_at_invalid", "#/send_at"),
    ({**ONE, "send_at": "2028-01-01T00:00:00Z"}, "send_at_too_far", "#/send_at"),
    ({"to": "33614806759", "template_id": "tpl_1"}, "templates_unavailable", "#/template_id"),
]


@pytest.mark.parametrize(("content", "code", "pointer"), REFUSED)
async def test_one_message_that_is_refused(ingest: Any, content: dict[str, Any], code: str, pointer: str) -> None:
    assert problem(await ingest.post("/v1/messages", content)) == (422, code, [pointer])
    assert ingest.said == []


async def test_in_a_batch_each_message_stands_alone(ingest: Any) -> None:
    batch = [ONE, *(content for content, _, _ in REFUSED), {**ONE, "lane": "urgent"}]
    answer = await ingest.post("/v1/messages", {"messages": batch})
    first, *refused, last = answer.json["results"]
    assert answer.status == 202
    assert [(message.id, message.lane) for message in sorted(ingest.said, key=lambda message: message.id)] == [
        (int(first["id"]), "bulk"),
        (int(last["id"]), "urgent"),
    ]
    assert [set(result) for result in refused] == [{"error"}] * len(REFUSED)
    assert [result["error"]["code"] for result in refused] == [code for _, code, _ in REFUSED]
    assert refused[1]["error"]["errors"][0]["pointer"] == "#/messages/2/to"
    assert refused[1]["error"]["status"] == 422


async def test_a_full_batch_is_published_in_order(ingest: Any) -> None:
    answer = await ingest.post("/v1/messages", {"messages": [ONE] * 1_000})
    ids = [int(result["id"]) for result in answer.json["results"]]
    assert ids == [message.id for message in ingest.said] == sorted(set(ids))
    assert len(ids) == 1_000


@pytest.mark.parametrize(
    ("body", "status", "code", "pointers"),
    [
        (b"", 400, "json_invalid", ["#"]),
        (b"{", 400, "json_invalid", ["#"]),
        (b'{"to":"33614806759","text":"\xe9"}', 400, "json_invalid", ["#"]),
        (b'{"to":"33614806759","text":"\\ud800"}', 400, "json_invalid", ["#"]),
        (b'{"metadata":' + b"[" * 100_000, 400, "json_invalid", ["#"]),
        (b"[]", 422, "field_invalid", ["#"]),
        (b'{"messages":[]}', 422, "field_invalid", ["#/messages"]),
        (b'{"messages":{}}', 422, "field_invalid", ["#/messages"]),
        (b'{"messages":[{}],"lane":"bulk"}', 422, "field_unknown", ["#/lane"]),
        (b'{"messages":[' + b",".join([b"{}"] * 1_001) + b"]}", 422, "field_invalid", ["#/messages"]),
        (b" " * ((4 << 20) + 1), 413, "request_entity_too_large", []),
    ],
)
async def test_a_body_that_cannot_be_taken(
    ingest: Any, body: bytes, status: int, code: str, pointers: list[str]
) -> None:
    assert problem(await ingest.post("/v1/messages", body)) == (status, code, pointers)


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        (None, 401, "key_missing"),
        ("ck_live_wrong", 401, "key_unknown"),
        ("ck_live_closed", 403, "account_closed"),
        ("ck_live_suspended", 403, "account_suspended"),
        ("ck_live_other", 403, "scope_missing"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/quote"])
async def test_who_may_not(ingest: Any, path: str, key: str | None, status: int, code: str) -> None:
    assert problem(await ingest.post(path, ONE, key=key))[:2] == (status, code)
    assert ingest.said == []


async def test_a_repeated_request_sends_nothing_twice(ingest: Any) -> None:
    batch = {"messages": [ONE, {}]}
    first = await ingest.post("/v1/messages", batch, idempotency_key="k1")
    again = await ingest.post("/v1/messages", batch, idempotency_key="k1")
    other = await ingest.post("/v1/messages", ONE, idempotency_key="k1")
    assert first.body == again.body
    assert again.headers["idempotency-replayed"] == "true"
    assert problem(other)[:2] == (422, "idempotency_key_reused")
    assert len(ingest.said) == 1


async def test_a_retry_after_a_failure_publishes_the_same_ids(ingest: Any) -> None:
    works = ingest.bus.publish

    async def reaches_the_broker_but_is_not_confirmed(*args: Any, **named: Any) -> None:
        await works(*args, **named)
        raise BusDownError("not confirmed")

    ingest.bus.publish = reaches_the_broker_but_is_not_confirmed
    batch = {"messages": [{}, ONE, ONE]}
    busy = await ingest.post("/v1/messages", batch, idempotency_key="k1")
    ingest.bus.publish = works
    ingest.clock.step(5)
    answer = await ingest.post("/v1/messages", batch, idempotency_key="k1")
    assert problem(busy)[:2] == (503, "broker_unavailable")
    assert int(busy.headers["retry-after"]) > 0
    ids = [message.id for message in ingest.said]
    assert ids[:2] == ids[2:] == [int(result["id"]) for result in answer.json["results"][1:]]


class NoNumber:
    """A process whose node number could not be renewed."""

    def next(self) -> int:
        raise NoNodeError("lost")

    def block(self, count: int) -> list[int]:
        raise NoNodeError("lost")


async def test_without_a_node_number_no_id_is_given(make_ingest: Any) -> None:
    ingest = make_ingest(ids=NoNumber())
    assert problem(await ingest.post("/v1/messages", ONE))[:2] == (503, "database_unavailable")
    busy = await ingest.push("number=33614806759&content=Test")
    assert (busy.status, busy.headers["carillon-reason"]) == (503, "database_unavailable")
    assert ingest.said == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"text": "Hello"}, {"encoding": "gsm", "parts": 1, "units": 5, "units_left": 155, "forces_ucs2": []}),
        ({**ONE, "lane": "bulk"}, {"encoding": "gsm", "parts": 1, "price_micros": None, "cheaper": None}),
        ({"binary": {"data": "00" * 141}}, {"encoding": "binary", "parts": 2, "units": 141, "units_left": None}),
    ],
)
async def test_a_quote(ingest: Any, content: dict[str, Any], expected: dict[str, Any]) -> None:
    answer = await ingest.post("/v1/messages/quote", content)
    assert answer.status == 200
    assert {name: answer.json[name] for name in expected} == expected
    assert ingest.said == []


async def test_a_quote_names_what_forces_ucs2_and_a_cheaper_text(ingest: Any) -> None:
    answer = await ingest.post("/v1/messages/quote", {"text": "l’heure " * 10})
    forcing = answer.json["forces_ucs2"]
    assert (answer.json["encoding"], answer.json["parts"]) == ("ucs2", 2)
    assert forcing == [
        {"character": "’", "name": "RIGHT SINGLE QUOTATION MARK", "position": 1, "count": 10, "instead": "'"}
    ]
    assert answer.json["cheaper"] == {"text": "l'heure " * 10, "parts": 1, "meaning_kept": True}


async def test_a_quote_of_what_cannot_be_sent(ingest: Any) -> None:
    assert problem(await ingest.post("/v1/messages/quote", {}))[:2] == (422, "content_not_one")


async def test_the_openapi_document_describes_what_is_read_by_hand(ingest: Any) -> None:
    document = (await ingest.ask("GET", "/openapi/ingest.json")).json
    validate(document)
    body = document["paths"]["/v1/messages"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert {"$ref": "#/components/schemas/MessageRequest"} in body["oneOf"]
    assert set(document["components"]["schemas"]["MessageRequest"]["properties"]) >= {"to", "text", "wap_push"}


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.sampled_from(["33614806759", "00", "a"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "to",
                    "text",
                    "binary",
                    "data",
                    "udh",
                    "messages",
                    "metadata",
                    "sender",
                    "callback",
                    "url",
                    "lane",
                    "x",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(content=_json | st.binary(max_size=60), path=st.sampled_from(["/v1/messages", "/v1/messages/quote"]))
async def test_any_body_is_taken_or_gets_a_problem(ingest: Any, content: Any, path: str) -> None:
    answer = await ingest.post(path, content)
    assert answer.status in (200, 202, 400, 422)
    if answer.status >= 400:
        assert answer.json["code"] not in ("internal_error", "")
