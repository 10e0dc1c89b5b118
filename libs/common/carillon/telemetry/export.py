"""The OpenTelemetry SDK: imported only when tracing is on (it costs 0.3 s and 20 MB)."""

from collections.abc import Callable

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from carillon.telemetry.traces import use_tracer

_EXPORT_TIMEOUT_S = 3.0


def start_export(service: str, endpoint: str | None, exporter: SpanExporter | None, ratio: float) -> Callable[[], None]:
    """Switch tracing on; what is returned sends what is left (3 s at most) and switches it off.

    `endpoint` is the collector's base address (OTLP over HTTP, e.g. http://127.0.0.1:4318). `exporter` is
    called at the end of each span, for tests. The provider is not made OpenTelemetry's global one, so no
    library traces by itself.
    """
    provider = TracerProvider(
        resource=Resource.create({"service.name": service}), sampler=ALWAYS_ON, shutdown_on_exit=False
    )
    if exporter is not None:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    if endpoint is not None:
        otlp = OTLPSpanExporter(endpoint=_traces_url(endpoint), timeout=_EXPORT_TIMEOUT_S)
        provider.add_span_processor(BatchSpanProcessor(otlp, export_timeout_millis=_EXPORT_TIMEOUT_S * 1000))
    use_tracer(provider.get_tracer("carillon"), ratio)

    def stop() -> None:
        use_tracer(None, 0.0)
        provider.shutdown()

    return stop


def _traces_url(endpoint: str) -> str:
    """The base address with the signal's path behind it, as OTEL_EXPORTER_OTLP_ENDPOINT is defined."""
    base = endpoint.rstrip("/")
    return base if base.endswith("/v1/traces") else f"{base}/v1/traces"
