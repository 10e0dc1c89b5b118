"""What commands make of refusals, and of a service that is away for a moment."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from typer.testing import CliRunner

from carillon_cli.account_api import AccountApi
from carillon_cli.api import ApiError
from carillon_cli.main import app

Answers = list[tuple[int, bytes]]


@pytest.fixture
def answers() -> Answers:
    """Given one after the other."""
    return []


@pytest.fixture
def url(answers: Answers) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers.pop(0)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - its name in the library

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def problem(**members: object) -> bytes:
    return json.dumps({"type": "about:blank", "title": "Conflict", "status": 409, **members}).encode()


@pytest.mark.parametrize(
    ("body", "said", "code"),
    [
        (problem(code="c", detail="It is so."), "HTTP 409: It is so.", "c"),
        (problem(errors=[{"detail": "too long", "pointer": "#/name"}]), "HTTP 409: Conflict\n#/name too long", ""),
        (b"<html>", "HTTP 409: <html>", ""),
        (b"[1]", "HTTP 409: [1]", ""),
    ],
)
def test_a_refusal_is_told_in_words(url: str, answers: Answers, body: bytes, said: str, code: str) -> None:
    answers.append((409, body))
    with pytest.raises(ApiError) as caught:
        AccountApi(url, "key").call("GET", "/")
    assert (str(caught.value), caught.value.status, caught.value.code) == (said, 409, code)


def test_who_looks_bears_a_restart_and_no_refusal(url: str, answers: Answers) -> None:
    answers += [(502, b""), (503, b"{}"), (200, b'{"state": "running"}'), (404, b"")]
    api = AccountApi(url, "key")
    assert api.look("/") == {"state": "running"}
    with pytest.raises(ApiError):
        api.look("/")


def test_a_start_waits_until_the_audience_is_counted(url: str, answers: Answers) -> None:
    counts = dict.fromkeys(("recipients", "sent", "delivered", "suppressed", "refused", "cancelled", "pending"), 0)
    view = {"id": "cmp_1", "name": "N", "state": "running", **counts}
    answers += [(409, problem(code="quote_running")), (200, json.dumps(view).encode())]
    environ = {"CARILLON_URL": url, "CARILLON_API_KEY": "key"}
    result = CliRunner().invoke(app, ["campaign", "start", "cmp_1"], env=environ)
    assert (result.exit_code, "cmp_1  N  running" in result.output) == (0, True)
    answers.append((409, problem(code="state_conflict", detail="It can't be.")))
    result = CliRunner().invoke(app, ["campaign", "start", "cmp_1"], env=environ)
    assert (result.exit_code, "It can't be." in result.output) == (1, True)
