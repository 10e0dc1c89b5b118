"""One call at the start of a process: logs, traces, and metrics that are there anyway."""

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from carillon.telemetry import metrics
from carillon.telemetry.logs import LogFormat, LogLevel, configure_logs

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

_running: list["Telemetry"] = []


class Telemetry:
    """What `start_telemetry` started."""

    def __init__(self, undo: list[Callable[[], None]]) -> None:
        self._undo = undo

    def stop(self) -> None:
        """Send the spans that are left and put logging back.

        Blocks for some seconds if the collector is away.
        """
        while self._undo:
            self._undo.pop()()
        if self in _running:
            _running.remove(self)


def start_telemetry(
    service: str,
    *,
    log_level: LogLevel = "info",
    log_format: LogFormat = "json",
    otlp_endpoint: str | None = None,
    trace_ratio: float = 0.0,
    exporter: "SpanExporter | None" = None,
) -> Telemetry:
    """Start telemetry for this process; `RuntimeError` if it runs already.

    `service` names the process in logs and traces. Traces are recorded only with an `otlp_endpoint` (base
    address of an OTLP/HTTP collector) or an `exporter` (tests); `trace_ratio`, 0 to 1, of the requests that
    come without a sampled trace of their own.
    """
    if _running:
        raise RuntimeError("telemetry runs already: it is started once a process")
    undo = [configure_logs(service, log_level, log_format)]
    metrics.set_build(service, _version())
    if otlp_endpoint is not None or exporter is not None:
        from carillon.telemetry.export import start_export  # noqa: PLC0415  the SDK is heavy

        undo.append(start_export(service, otlp_endpoint, exporter, trace_ratio))
    telemetry = Telemetry(undo)
    _running.append(telemetry)
    return telemetry


def _version() -> str:
    try:
        return version("carillon-common")
    except PackageNotFoundError:  # a source tree that was not installed
        return "unknown"
