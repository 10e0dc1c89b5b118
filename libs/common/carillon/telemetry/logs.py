"""Log lines on stdout: ours through structlog, the libraries' through logging, both through one pipeline."""

import logging
import sys
from collections.abc import Callable, MutableMapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import msgspec
import structlog
from opentelemetry import trace
from structlog.typing import Processor

from carillon.telemetry.masking import mask_event

LogFormat = Literal["json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]
Event = MutableMapping[str, Any]

# Set by the HTTP room; every line that is written while a request is served carries it.
request_id: ContextVar[str | None] = ContextVar("carillon_request_id", default=None)

# Libraries whose `info` tells of every connection.
_QUIET = ("aiormq", "aio_pika", "httpx", "urllib3", "pymongo")  # at debug, they print bodies and documents


def configure_logs(
    service: str, level: LogLevel = "info", form: LogFormat = "json", stream: TextIO | None = None
) -> Callable[[], None]:
    """Send all logs of the process to `stream` (stdout); what is returned puts everything back as it was."""
    out = stream or sys.stdout
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [_stamp(service), _correlate, structlog.processors.format_exc_info, mask_event]
    render: Processor = _render_json if form == "json" else _console(out)
    structlog.configure(
        processors=[structlog.processors.add_log_level, *shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    bridge = _Bridge([*shared, render], out)
    root = logging.getLogger()
    before = root.handlers, root.level
    root.handlers = [bridge]
    root.setLevel(number)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))

    def undo() -> None:
        root.handlers = before[0]
        root.setLevel(before[1])
        for name in _QUIET:
            logging.getLogger(name).setLevel(logging.NOTSET)
        structlog.reset_defaults()

    return undo


class _Bridge(logging.Handler):
    """Brings a record of the standard logging into the pipeline."""

    def __init__(self, processors: Sequence[Processor], out: TextIO) -> None:
        super().__init__()
        self._processors = processors
        self._out = out

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line. What cannot be formatted is named without its arguments: they may be private."""
        level = record.levelname.lower()
        event: Event = {"level": level, "logger": record.name}
        try:
            event["event"] = record.getMessage()
        except Exception as error:  # noqa: BLE001  a log line must not bring down who wrote it
            event["event"] = f"log.unreadable: {type(error).__name__} in {record.pathname}:{record.lineno}"
        if record.exc_info:
            event["exc_info"] = record.exc_info
        line: Any = event
        for processor in self._processors:
            line = processor(None, level, line)
        self._out.write(line + "\n")
        self._out.flush()


def _stamp(service: str) -> Processor:
    def stamp(_logger: object, _method: str, event: Event) -> Event:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {
            "timestamp": now,
            "level": event.pop("level"),
            "service": event.pop("service", service),
            **event,
        }

    return stamp


def _correlate(_logger: object, _method: str, event: Event) -> Event:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = f"{context.trace_id:032x}"
        event["span_id"] = f"{context.span_id:016x}"
    request = request_id.get()
    if request is not None:
        event["request_id"] = request
    return event


def _render_json(_logger: object, _method: str, event: Event) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()


def _console(out: TextIO) -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback, timestamp_key="timestamp"
    )
