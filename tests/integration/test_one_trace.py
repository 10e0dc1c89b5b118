"""One trace from a client's request to the handset's report and the client's callback, over a whole platform."""

import asyncio
import io
import json
import re
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan

from carillon.bus import Delivery
from carillon.events.message import Accepted
from carillon.http.front import Front
from carillon.http.server import HttpServer
from carillon.runtime.lifecycle import start_all
from carillon.telemetry import metrics, names
from carillon.telemetry.logs import configure_logs
from carillon.testing.bus_contract import eventually
from carillon.testing.spans import Spans, collect_spans, trace_id
from carillon_cli import up as platform
from carillon_cli.api import AdminApi, is_ready
from carillon_cli.demo import Demo, ensure_demo
from carillon_cli.servers import Home, Servers
from carillon_cli.servers.ports import choose_ports
from carillon_cli.services import SERVICES, load
from ingest.acceptance import Acceptance
from receipt.handlers import RecordMessages

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

TRACE = 0x4BF92F3577B34DA6A3CE929D0E0E4736
PARENT = 0x00F067AA0BA902B7
SAMPLED = f"00-{TRACE:032x}-{PARENT:016x}-01"


@dataclass
class Platform:
    """All services in this process, and the demo account's client."""

    url: str
    account: Demo

    async def push(self, number: str, traceparent: str | None) -> str:
        query = {"login": self.account.login, "password": self.account.password, "number": number, "content": "Hello"}
        url = f"{self.url}/Ext/{self.account.door}.asp?{urllib.parse.urlencode(query)}"
        return await self._call(urllib.request.Request(url), traceparent)

    async def post(self, messages: list[dict[str, str]], traceparent: str | None) -> list[dict[str, Any]]:
        request = urllib.request.Request(f"{self.url}/v1/messages", json.dumps({"messages": messages}).encode())
        request.add_header("Authorization", f"Bearer {self.account.api_key}")
        request.add_header("Content-Type", "application/json")
        results: list[dict[str, Any]] = json.loads(await self._call(request, traceparent))["results"]
        return results

    async def told(self, identifier: str, last: str = "handset") -> None:
        """Return when the client's URL has got that status."""

        async def statuses() -> list[str]:
            url = f"{self.url}/simulator/callbacks/messages"
            found: list[str] = json.loads(await self._call(urllib.request.Request(url), None)).get(identifier, [])
            return found

        async with asyncio.timeout(15):
            while last not in await statuses():
                await asyncio.sleep(0.02)

    async def _call(self, request: urllib.request.Request, traceparent: str | None) -> str:
        if traceparent is not None:
            request.add_header("traceparent", traceparent)

        def call() -> str:
            with urllib.request.urlopen(request, timeout=10) as answer:
                text: str = answer.read().decode()
                return text

        return await asyncio.to_thread(call)


@pytest.fixture
def environment(
    servers: Servers, vhost_url: str, mongo_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Home:
    home = Home(tmp_path)
    home.make()
    ports = choose_ports(tmp_path, [*SERVICES, "simulator-smpp", "front"], 18_000)
    own = replace(servers, amqp_url=vhost_url)
    for name, value in platform.environment(home, own, "admin-token", ports["front"], ports).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CARILLON_MONGO_PREFIX", mongo_prefix)
    return home


@pytest.fixture
async def carillon(environment: Home) -> AsyncIterator[Platform]:
    services = {name: load(name) for name in SERVICES}
    front = Front({name: service.app for name, service in services.items()})
    server = HttpServer(front, host="127.0.0.1", port=0, grace_s=2.0)
    async with AsyncExitStack() as stack:
        await start_all([front, *(part for service in services.values() for part in service.parts), server], stack)
        url = f"http://127.0.0.1:{server.port}"
        async with asyncio.timeout(30):
            while not await asyncio.to_thread(is_ready, url):
                await asyncio.sleep(0.05)
        await eventually(lambda: metrics.BINDS_UP.value("simulator") == metrics.BINDS_WANTED.value("simulator") == 2)
        api = AdminApi(url, "admin-token")
        account = await asyncio.to_thread(ensure_demo, api, environment, f"{url}/simulator/callbacks")
        platform = Platform(url, account)
        await asyncio.sleep(0.3)  # the account's copies reach every service
        yield platform


def walk_back(spans: Spans, last: ReadableSpan) -> list[str]:
    """Names on the way from a span to the span without a known parent, by links to what published it, then parents."""
    by_id = {span.get_span_context().span_id: span for span in spans.all()}  # type: ignore[union-attr]
    way, here = [last.name], last
    while True:
        causes = [by_id[link.context.span_id] for link in here.links if link.context.span_id in by_id]
        earlier = [span for span in causes if (span.start_time or 0) < (here.start_time or 0)]
        parent = by_id.get(here.parent.span_id) if here.parent is not None else None
        following = min(earlier, key=lambda span: span.start_time or 0) if earlier else parent
        if following is None:
            return way
        here = following
        way.append(here.name)


def of_trace(spans: Spans, trace: int, name: str) -> list[ReadableSpan]:
    return [span for span in spans.named(name) if trace_id(span) == trace]


WHOLE_WAY = {
    names.HTTP_REQUEST, names.MESSAGE_ACCEPT, names.MESSAGE_ROUTE, names.MESSAGE_SUBMIT, names.OPERATOR_SUBMIT,
    names.MESSAGE_SETTLE, names.REPORT_RECEIVE, names.STATUS_RECORD, names.CALLBACK_SEND, names.CALLBACK_CALL,
}  # fmt: skip
BESIDE = {names.MESSAGE_CHARGE, names.CAMPAIGN_COUNT}  # at their own pace: nobody waits for them


async def test_one_trace_from_the_request_to_the_callback(carillon: Platform) -> None:
    with collect_spans(ratio=0.0) as spans:
        identifier = await carillon.push("33612345678", SAMPLED)
        await carillon.told(identifier)
        await eventually(lambda: len(of_trace(spans, TRACE, names.CALLBACK_SEND)) >= 3)
    mine = [span for span in spans.all() if trace_id(span) == TRACE]
    assert {span.name for span in mine} - BESIDE == WHOLE_WAY
    assert spans.traces().keys() == {TRACE}  # and nobody else's requests were traced
    [request] = of_trace(spans, TRACE, names.HTTP_REQUEST)
    assert request.parent is not None
    assert request.parent.span_id == PARENT
    # every span hangs below the client's request, in this one trace ...
    known = {span.get_span_context().span_id for span in mine}  # type: ignore[union-attr]
    assert all(span.parent is not None and span.parent.span_id in known for span in mine if span is not request)
    # ... and the last callback leads back to it stage by stage, across every queue
    last = max(of_trace(spans, TRACE, names.CALLBACK_SEND), key=lambda span: span.start_time or 0)
    assert walk_back(spans, last) == [
        names.CALLBACK_SEND,
        names.STATUS_RECORD,
        names.REPORT_RECEIVE,
        names.HTTP_REQUEST,
    ]
    submitted = max(
        (
            span
            for span in of_trace(spans, TRACE, names.STATUS_RECORD)
            if names.MESSAGE_SETTLE in walk_back(spans, span)
        ),
        key=lambda span: span.start_time or 0,
    )
    assert walk_back(spans, submitted)[-1] == names.HTTP_REQUEST
    [submit] = of_trace(spans, TRACE, names.MESSAGE_SUBMIT)
    assert walk_back(spans, submit) == [
        names.MESSAGE_SUBMIT, names.MESSAGE_ROUTE, names.MESSAGE_ACCEPT, names.HTTP_REQUEST
    ]  # fmt: skip
    [asked] = of_trace(spans, TRACE, names.OPERATOR_SUBMIT)
    assert dict(asked.attributes or {}) == {names.OPERATOR: "simulator", names.OUTCOME: "taken"}
    # no number, text or secret anywhere
    told = json.dumps([dict(span.attributes or {}) for span in mine])
    assert "33612345678" not in told
    assert "Hello" not in told


async def test_the_records_of_a_json_batch_are_one_trace_and_one_span_a_batch(carillon: Platform) -> None:
    with collect_spans(ratio=0.0) as spans:
        messages = [{"to": f"336123{place:05d}", "text": "Hello"} for place in range(20, 40)]
        results = await carillon.post(messages, SAMPLED)
        for result in results:
            await carillon.told(result["id"])
        await eventually(lambda: of_trace(spans, TRACE, names.CALLBACK_SEND))
    assert spans.traces().keys() == {TRACE}
    assert len(of_trace(spans, TRACE, names.MESSAGE_ACCEPT)) == 1
    assert len(of_trace(spans, TRACE, names.MESSAGE_ROUTE)) == 1
    assert len(of_trace(spans, TRACE, names.OPERATOR_SUBMIT)) == 20
    assert {span.name for span in spans.all()} - BESIDE == WHOLE_WAY


async def test_where_batches_join_traces_are_linked(carillon: Platform) -> None:
    traces = [TRACE + place for place in range(30)]
    with collect_spans(ratio=0.0) as spans:
        pushes = (
            carillon.push(f"336124{place:05d}", f"00-{trace:032x}-{PARENT:016x}-01")
            for place, trace in enumerate(traces, 20)
        )
        for identifier in await asyncio.gather(*pushes):
            await carillon.told(identifier)
        await eventually(lambda: all(of_trace(spans, trace, names.CALLBACK_SEND) for trace in traces))
    assert spans.traces().keys() == set(traces)
    for trace in traces:  # each tells the whole story ...
        assert {span.name for span in spans.all() if trace_id(span) == trace} - BESIDE == WHOLE_WAY
        assert len(of_trace(spans, trace, names.HTTP_REQUEST)) == 1
    joined = [span for span in spans.all() if {link.context.trace_id for link in span.links} - {trace_id(span)}]
    assert joined  # ... and where they met in a batch, it leads to the others
    assert {link.context.trace_id for span in joined for link in span.links} <= set(traces)


async def test_logs_of_a_traced_request_carry_its_trace_id(carillon: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the service that takes the request, and in one that handles its message behind two queues."""
    accept, record = Acceptance.accept, RecordMessages.__call__

    async def accept_and_log(self: Acceptance, message: Accepted) -> None:
        structlog.get_logger().info("seen", where="ingest")
        await accept(self, message)

    async def record_and_log(self: RecordMessages, deliveries: Sequence[Delivery]) -> None:
        structlog.get_logger().info("seen", where="receipt")
        await record(self, deliveries)

    monkeypatch.setattr(Acceptance, "accept", accept_and_log)
    monkeypatch.setattr(RecordMessages, "__call__", record_and_log)
    configuration, out = structlog.get_config(), io.StringIO()
    undo = configure_logs("test", stream=out)
    try:
        with collect_spans(ratio=0.0):
            await carillon.told(await carillon.push("33612345679", SAMPLED))
    finally:
        undo()
        structlog.configure(**configuration)
    seen = [line for line in map(json.loads, out.getvalue().splitlines()) if line["event"] == "seen"]
    assert {line["where"] for line in seen} == {"ingest", "receipt"}
    assert {line.get("trace_id") for line in seen} == {f"{TRACE:032x}"}
    assert all(("request_id" in line) == (line["where"] == "ingest") for line in seen)


async def test_metrics_of_the_whole_way(carillon: Platform) -> None:
    age = metrics.QUEUE_AGE.count("dispatcher.submit.simulator.urgent")
    delivered = metrics.RECEIPTS.value("delivered", "simulator")
    timed = metrics.URGENT_DURATION.count("delivered")
    await carillon.told(await carillon.push("33612345680", None))
    assert metrics.QUEUE_AGE.count("dispatcher.submit.simulator.urgent") == age + 1
    # what is counted after it was said may come a moment after the client was told
    await eventually(lambda: metrics.RECEIPTS.value("delivered", "simulator") == delivered + 1)
    assert metrics.URGENT_DURATION.count("delivered") == timed + 1
    for queue in ("dispatcher.route.urgent", "receipt.record.urgent", "receipt.callbacks.urgent"):
        assert metrics.QUEUE_AGE.count(queue) > 0
        assert metrics.CONSUME_BATCH.count(queue) > 0
    queues = {labels[0] for labels in metrics.CONSUMED.values}
    assert {"ingest.accounts", "dispatcher.accounts", "receipt.accounts"} & queues
    assert not [queue for queue in queues if re.search("_[0-9a-z]{26}", queue)]  # no process ids
    assert metrics.COMMIT_DURATION.count("accepted.urgent") > 0
    assert metrics.COMMIT_DURATION.count("dispatcher.outbox") > 0
    assert metrics.SUBMIT_DURATION.count("simulator") > 0
