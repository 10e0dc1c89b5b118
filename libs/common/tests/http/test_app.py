"""What every service's application does by itself."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

import httpx
import pytest
import structlog
from fastapi import APIRouter, Body, HTTPException, Query, Request
from openapi_spec_validator import validate
from pydantic import BaseModel
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from carillon.http.app import create_app
from carillon.http.problem import FieldError, Problem, not_found, overloaded, retry_after, too_many_requests
from carillon.runtime.committer import OverloadedError
from carillon.telemetry import metrics, names
from carillon.testing.spans import collect_spans

NUMBER = "33612345678"


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    """Without this structlog draws every traceback with its locals, which takes seconds."""
    structlog.configure(processors=[structlog.processors.KeyValueRenderer()])
    yield
    structlog.reset_defaults()


class Push(BaseModel):
    to: int
    text: str


class CreditError(Exception):
    """A service's own error."""


def router() -> APIRouter:
    router = APIRouter(prefix="/v1")

    @router.post("/messages")
    async def messages(pushes: Annotated[list[Push], Body(embed=True)]) -> int:
        return len(pushes)

    @router.get("/messages/{message_id}")
    async def message(message_id: int, limit: Annotated[int, Query(le=5)] = 1) -> int:
        return message_id * limit

    @router.get("/raise/{what}")
    async def raises(what: str) -> None:
        raise {
            "problem": Problem(402, "credit", "No more.", errors=[FieldError(code="c", detail="d", pointer="#/to")]),
            "http": HTTPException(418, "short and stout", {"X-Pot": "tea"}),
            "overloaded": OverloadedError("full"),
            "credit": CreditError(),
            "bug": ValueError(f"cannot send to {NUMBER}"),
            "missing": not_found(),
        }[what]

    @router.post("/raw")
    async def raw(request: Request) -> int:
        return sum([len(chunk) async for chunk in request.stream()])

    @router.get("/half")
    async def half() -> StreamingResponse:
        async def body() -> AsyncIterator[bytes]:
            yield b"begun"
            raise ValueError("broken in the middle")

        return StreamingResponse(body())

    return router


async def door(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["query_string"] == b"bug":
        raise ValueError("in the door")
    if scope["query_string"] == b"full":
        raise OverloadedError("full")
    while (await receive())["more_body"]:
        pass
    await PlainTextResponse("42")(scope, receive, send)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    problems: dict[str, str] = {}
    app = create_app(
        "Carillon sample",
        routers=[router()],
        health=lambda: problems,
        doors={"/Ext/": door},
        body_cap_bytes=1000,
        body_caps={"/v1/raw": 2000},
        translations={CreditError: lambda _: Problem(402, "credit_exhausted")},
    )
    app.state.problems = problems
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        client.problems = problems  # type: ignore[attr-defined]
        yield client


async def test_a_problem_is_told_as_rfc_9457_says(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/raise/problem")
    assert answer.status_code == 402
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:problem-type:carillon:credit",
        "title": "Payment Required",
        "status": 402,
        "code": "credit",
        "detail": "No more.",
        "errors": [{"code": "c", "detail": "d", "pointer": "#/to"}],
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/v1/raise/missing", 404, "not_found"),
        ("DELETE", "/v1/messages/1", 405, "method_not_allowed"),
        ("GET", "/v1/raise/overloaded", 503, "overloaded"),
        ("GET", "/v1/raise/credit", 402, "credit_exhausted"),
        ("GET", "/v1/raise/bug", 500, "internal_error"),
        ("GET", "/Ext/demo.asp?bug", 500, "internal_error"),
        ("GET", "/Ext/demo.asp?full", 503, "overloaded"),
    ],
)
async def test_every_error_is_a_problem(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code
    assert answer.json()["status"] == status
    assert answer.headers["x-request-id"]


async def test_an_http_exception_keeps_its_words_and_headers(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/raise/http")
    assert (answer.json()["code"], answer.json()["detail"]) == ("i_m_a_teapot", "short and stout")
    assert answer.headers["x-pot"] == "tea"
    assert (await client.delete("/v1/messages/1")).headers["allow"] == "GET"
    assert int((await client.get("/v1/raise/overloaded")).headers["retry-after"]) >= 1


async def test_an_unforeseen_error_is_logged_and_not_told(client: httpx.AsyncClient) -> None:
    with structlog.testing.capture_logs() as logs:
        answer = await client.get("/v1/raise/bug")
    assert NUMBER not in answer.text
    assert "ValueError" not in answer.text
    assert [(line["event"], line["log_level"], line["route"]) for line in logs] == [
        ("http.unforeseen", "error", "/v1/raise/{what}")
    ]


async def test_validation_errors_point_at_fields_and_quote_nothing(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/messages", json={"pushes": [{"to": 1, "text": "x"}, {"to": "+336secret"}]})
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_request"
    assert {(error["pointer"], error["code"]) for error in answer.json()["errors"]} == {
        ("#/pushes/1/to", "int_parsing"),
        ("#/pushes/1/text", "missing"),
    }
    assert "336secret" not in answer.text


async def test_a_wrong_parameter_is_named(client: httpx.AsyncClient) -> None:
    (error,) = (await client.get("/v1/messages/1?limit=9")).json()["errors"]
    assert error["parameter"] == "limit"
    assert (await client.get("/v1/messages/x")).json()["errors"][0]["parameter"] == "message_id"


async def test_a_body_that_is_not_json_is_400(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/messages", content=b'{"pushes": [', headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")


async def _chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 100):
        yield b"x" * 100


@pytest.mark.parametrize(
    ("path", "cap"), [("/v1/messages", 1000), ("/v1/raw", 2000), ("/ext/demo.asp", 1000), ("/EXT/demo.asp", 1000)]
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_body_over_the_cap_is_413_announced_or_streamed(
    client: httpx.AsyncClient, path: str, cap: int, streamed: bool
) -> None:
    def content(size: int) -> bytes | AsyncIterator[bytes]:
        return _chunks(size) if streamed else b"x" * size

    answer = await client.post(path, content=content(cap + 100))
    assert answer.status_code == 413
    assert answer.json()["code"] in ("request_entity_too_large", "content_too_large")
    assert answer.headers["connection"] == "close"
    assert (await client.post(path, content=content(cap))).status_code != 413


async def test_a_door_is_reached_in_any_case_and_keeps_its_own_answers(client: httpx.AsyncClient) -> None:
    for path in ("/Ext/demo.asp", "/ext/x", "/EXT/x"):
        answer = await client.get(path)
        assert (answer.status_code, answer.text) == (200, "42")
        assert answer.headers["x-request-id"]


async def test_a_request_keeps_its_wellformed_id(client: httpx.AsyncClient) -> None:
    async def id_for(given: str) -> str:
        return (await client.get("/livez", headers={"X-Request-Id": given})).headers["x-request-id"]

    assert await id_for("req-12345678") == "req-12345678"
    assert await id_for("short") != "short"
    assert await id_for("x" * 65) != "x" * 65
    assert await id_for('"><script>alert') != '"><script>alert'
    assert await id_for("short") != await id_for("short")


async def test_health(client: httpx.AsyncClient) -> None:
    assert (await client.get("/livez")).json() == {"status": "live"}
    assert (await client.get("/readyz")).status_code == 200
    client.problems["bus"] = "no live consumer"  # type: ignore[attr-defined]
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "unready", "problems": {"bus": "no live consumer"}}
    assert (await client.get("/livez")).status_code == 200


async def test_requests_are_measured_by_route_and_never_by_path(client: httpx.AsyncClient) -> None:
    def count(method: str, route: str, status: str) -> int:
        return metrics.HTTP_DURATION.count("sample", method, route, status)

    cases = [
        ("GET", "/v1/messages/33612345678", "GET", "/v1/messages/{message_id}", "2xx"),
        ("GET", "/v1/raise/bug", "GET", "/v1/raise/{what}", "5xx"),
        ("GET", "/ext/demo.asp", "GET", "/Ext/", "2xx"),
        ("BREW", "/33612345678", "other", "unmatched", "4xx"),
    ]
    for method, path, *labels in cases:
        before = count(*labels)
        await client.request(method, path)
        assert count(*labels) == before + 1
    shown = (await client.get("/metrics")).text
    assert (
        'carillon_http_request_duration_seconds_count{method="GET",route="/Ext/",service="sample",status="2xx"}'
        in shown
    )
    assert NUMBER not in shown


async def test_a_request_is_the_root_of_its_trace_without_its_query(client: httpx.AsyncClient) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with collect_spans(ratio=0.0) as spans:
        await client.get(f"/Ext/demo.asp?number={NUMBER}&content=Hello", headers={"traceparent": parent})
        await client.get("/v1/messages/7")
    (span,) = spans.all()
    assert span.name == names.HTTP_REQUEST
    assert dict(span.attributes or {}) == {
        names.HTTP_METHOD: "GET",
        names.HTTP_ROUTE: "/Ext/",
        names.HTTP_STATUS: 200,
    }


async def test_an_answer_that_breaks_in_the_middle_is_cut_not_finished(client: httpx.AsyncClient) -> None:
    with pytest.raises(ValueError, match="in the middle"):
        await client.get("/v1/half")


async def test_a_client_that_leaves_while_it_sends_is_nobodys_error() -> None:
    app = create_app("Carillon sample", routers=[router()])
    sent = []

    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http", "method": "POST", "path": "/v1/raw", "raw_path": b"/v1/raw", "query_string": b"", "headers": [],
        "http_version": "1.1", "scheme": "http", "client": None, "server": None, "root_path": "", "asgi": {},
    }  # fmt: skip
    with structlog.testing.capture_logs() as logs:
        await asyncio.wait_for(app(scope, receive, send), 5)
    assert (logs, sent) == ([], [])


async def test_openapi_is_valid_and_tells_of_problems(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi/sample.json")).json()
    validate(document)
    operation = document["paths"]["/v1/messages"]["post"]["responses"]
    assert set(operation) == {"200", "default"}
    assert operation["default"]["content"] == {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
    }
    assert "/livez" not in document["paths"]
    assert (await client.get("/docs")).status_code == 404


@pytest.mark.parametrize(("seconds", "header"), [(0, "1"), (0.2, "1"), (1, "1"), (1.1, "2"), (30, "30")])
def test_retry_after_is_in_whole_seconds(seconds: float, header: str) -> None:
    assert retry_after(seconds) == {"Retry-After": header}


def test_ready_made_problems() -> None:
    assert (overloaded().status, overloaded(5).headers) == (503, {"Retry-After": "5"})
    assert (too_many_requests(2).status, too_many_requests(2).headers) == (429, {"Retry-After": "2"})
    assert json.loads(not_found("No such message.").body())["detail"] == "No such message."
