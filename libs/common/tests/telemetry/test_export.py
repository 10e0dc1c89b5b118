"""OTLP over HTTP to a collector that really listens, and to one that is away."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from carillon.telemetry import names
from carillon.telemetry.export import start_export
from carillon.telemetry.traces import span


class Collector(HTTPServer):
    """Keeps what it receives."""

    def __init__(self) -> None:
        self.received: list[tuple[str, bytes]] = []
        super().__init__(("127.0.0.1", 0), Inbox)


class Inbox(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        assert isinstance(self.server, Collector)
        self.server.received.append((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("path", ["", "/", "/v1/traces"])
def test_stop_sends_what_is_left(collector: Collector, path: str) -> None:
    stop = start_export("ingest", f"http://127.0.0.1:{collector.server_port}{path}", None, 1.0)
    with span(names.HTTP_REQUEST, root=True):
        pass
    stop()
    ((where, body),) = collector.received
    assert where == "/v1/traces"
    sent = ExportTraceServiceRequest.FromString(body)
    assert [one.name for one in sent.resource_spans[0].scope_spans[0].spans] == [names.HTTP_REQUEST]


def test_stop_does_not_wait_long_for_a_collector_that_is_away() -> None:
    stop = start_export("ingest", "http://127.0.0.1:9", None, 1.0)
    with span(names.HTTP_REQUEST, root=True):
        pass
    started = time.monotonic()
    stop()
    assert time.monotonic() - started < 10
