"""An operator over HTTP: what it is sent, what its answers mean, and its reports."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from aiohttp import web

from carillon.events.base import Record
from carillon.events.catalogue import REPORT_RECEIVED
from carillon.events.report import ReportReceived
from carillon.http.app import create_app
from carillon.runtime.clock import SystemClock
from carillon.testing.builders import an_accepted
from carillon.testing.bus import MemoryBus
from dispatcher.api import routes
from dispatcher.connectors.http import HttpConnector
from dispatcher.connectors.port import Answer, OutgoingPart
from dispatcher.domain.operators import Operator
from dispatcher.domain.parts import parts_of
from dispatcher.inbox import OperatorInbox
from dispatcher.outbox import Outbox
from dispatcher.settlement import Recent


class Webby:
    """An HTTP operator: answers `status` and `text`, keeps requests."""

    def __init__(self) -> None:
        self.status, self.text = 200, '{"messageId": "w-1"}'
        self.delay_s = 0.0
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.url = ""

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append((request.path_qs, (await request.read()).decode(), dict(request.headers)))
        await asyncio.sleep(self.delay_s)
        return web.Response(status=self.status, text=self.text)


@pytest.fixture
async def webby() -> AsyncIterator[Webby]:
    webby = Webby()
    runner = web.ServerRunner(web.Server(webby))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    webby.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield webby
    await runner.cleanup()


def operator(url: str) -> Operator:
    return Operator(
        name="webby",
        kind="http",
        url=url + "/send?to={number}&text={text}",
        headers={"X-Sender": "{sender}"},
        body='{"to": "{number}", "text": "{text}", "ref": "{id}-{part}", "keep": {"braces": 1}}',
        ref_pattern=r'"messageId":\s*"([^"]+)"',
        answer_timeout_s=0.5,
        report_token="let-me-in",
        errors={"402": "credit_exhausted"},
    )


async def submit(url: str, **fields: object) -> Answer:
    connector = HttpConnector(operator(url))
    await connector.hold({0}, 1.0)
    message = an_accepted(**fields)
    payloads, texts = parts_of(message, "gsm")
    answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    connector.submit(OutgoingPart(message, 1, payloads[0], texts[0], 60), answer.set_result)
    found = await answer
    await connector.hold(set(), 1.0)
    return found


async def test_the_template_is_filled_and_escaped(webby: Webby) -> None:
    answer = await submit(webby.url, text='a&b="c"\n{number}', sender="Shop")
    assert answer == Answer("taken", ref="w-1")
    [(path, body, headers)] = webby.requests
    assert path == "/send?to=33612345678&text=a%26b%3D%22c%22%0A%7Bnumber%7D"
    assert json.loads(body)["text"] == 'a&b="c"\n{number}'
    assert json.loads(body)["keep"] == {"braces": 1}
    assert headers["X-Sender"] == "Shop"
    assert headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (429, "throttled", None),
        (503, "temporary", None),
        (400, "refused", "operator_refused"),
        (402, "refused", "credit_exhausted"),
    ],
)
async def test_what_a_status_means(webby: Webby, status: int, kind: str, code: str | None) -> None:
    webby.status = status
    answer = await submit(webby.url)
    assert (answer.kind, answer.code) == (kind, code)


async def test_no_answer_in_time_is_no_answer(webby: Webby) -> None:
    webby.delay_s = 2.0
    assert (await submit(webby.url)).kind == "unanswered"


async def test_nobody_there_is_temporary() -> None:
    assert (await submit("http://127.0.0.1:1")).kind == "temporary"


async def post(body: object, token: str = "let-me-in", name: str = "webby") -> tuple[httpx.Response, list[Record]]:
    bus = MemoryBus()
    inbox = OperatorInbox(Outbox(bus), Recent(), lambda: 1)
    known = {"webby": operator("http://x")}
    app = create_app("Carillon dispatcher", routers=[routes(known.get, inbox, SystemClock())])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        answer = await client.post(f"/operators/{name}/reports", params={"token": token}, json=body)
    return answer, bus.records(REPORT_RECEIVED)


async def test_reports_are_said_before_they_are_answered() -> None:
    answer, said = await post(
        [{"id": "w-1", "state": "DELIVRD", "number": "+33612345678"}, {"id": 7, "state": "rejected", "error": "402"}]
    )
    assert answer.status_code == 204
    assert all(isinstance(record, ReportReceived) for record in said)
    assert [(r.ref, r.state, r.error) for r in said if isinstance(r, ReportReceived)] == [
        ("w-1", "delivered", None),
        ("7", "rejected", "credit_exhausted"),
    ]


@pytest.mark.parametrize(("token", "name"), [("wrong", "webby"), ("", "webby"), ("let-me-in", "nobody")])
async def test_only_the_operator_may_report(token: str, name: str) -> None:
    answer, said = await post({"id": "1", "state": "DELIVRD"}, token, name)
    assert (answer.status_code, said) == (403, [])


async def test_what_is_no_report_is_named() -> None:
    answer, said = await post([{"id": "1", "state": "DELIVRD"}, {"state": "DELIVRD"}])
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/1/id"
    assert said == []
