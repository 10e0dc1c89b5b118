"""One pipeline for our lines and the libraries'."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from carillon.telemetry import names
from carillon.telemetry.logs import request_id
from carillon.telemetry.start import start_telemetry
from carillon.telemetry.traces import span
from carillon.testing.spans import collect_spans


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What a service writes on stdout."""
    stdout = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stdout)
    telemetry = start_telemetry("ingest", log_level="info")
    yield stdout
    telemetry.stop()


def lines(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_our_line_is_json_with_service_level_and_time(out: io.StringIO) -> None:
    structlog.get_logger().info("message.accepted", id=247_712_361_308_164_096, number="33612345678", parts=2)
    (line,) = lines(out)
    assert str(line.pop("timestamp")).endswith("Z")
    assert line == {
        "level": "info",
        "service": "ingest",
        "event": "message.accepted",
        "id": 247_712_361_308_164_096,
        "number": "***",
        "parts": 2,
    }


def test_a_library_line_goes_the_same_way(out: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").warning("no answer from %s", "33612345678")
    (line,) = lines(out)
    assert (line["event"], line["logger"], line["level"], line["service"]) == (
        "no answer from ***",
        "uvicorn.error",
        "warning",
        "ingest",
    )


def test_lines_below_the_level_are_not_written(out: io.StringIO) -> None:
    structlog.get_logger().debug("quiet")
    logging.getLogger("some.library").debug("quiet")
    logging.getLogger("aiormq.connection").info("connected")
    assert lines(out) == []


@pytest.mark.parametrize("ours", [True, False])
def test_a_traceback_is_one_masked_line(ours: bool, out: io.StringIO) -> None:
    try:
        raise ValueError("cannot reach 33612345678")
    except ValueError:
        if ours:
            structlog.get_logger().exception("broken")
        else:
            logging.getLogger("x").exception("broken")
    (line,) = lines(out)
    assert line["level"] == "error"
    assert "ValueError: cannot reach ***" in str(line["exception"])


def test_a_library_line_that_cannot_be_formatted_is_named_without_its_arguments(out: io.StringIO) -> None:
    record = logging.LogRecord("x", logging.WARNING, "client.py", 7, "%d parts", ("33612345678 Bonjour",), None)
    logging.getLogger().handlers[0].handle(record)
    (line,) = lines(out)
    assert line["event"] == "log.unreadable: TypeError in client.py:7"


def test_lines_carry_the_request_and_the_trace(out: io.StringIO) -> None:
    token = request_id.set("req-1")
    with collect_spans(), span(names.HTTP_REQUEST, root=True) as here:
        context = here.get_span_context()
        structlog.get_logger().info("inside")
        logging.getLogger("x").info("inside too")
    request_id.reset(token)
    structlog.get_logger().info("outside")
    inside, library, outside = lines(out)
    for line in (inside, library):
        assert line["trace_id"] == f"{context.trace_id:032x}"
        assert line["span_id"] == f"{context.span_id:016x}"
        assert line["request_id"] == "req-1"
    assert "trace_id" not in outside
    assert "request_id" not in outside


def test_the_console_form_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry = start_telemetry("carillon", log_format="console")
    structlog.get_logger().info("up", password="hunter2", port=8080)
    telemetry.stop()
    shown = capsys.readouterr().out
    assert "up" in shown
    assert "8080" in shown
    assert "hunter2" not in shown


def test_telemetry_is_started_once_and_can_start_again(capsys: pytest.CaptureFixture[str]) -> None:
    before = logging.getLogger().handlers
    first = start_telemetry("a")
    with pytest.raises(RuntimeError, match="once a process"):
        start_telemetry("b")
    first.stop()
    first.stop()
    assert logging.getLogger().handlers == before
    start_telemetry("b").stop()
