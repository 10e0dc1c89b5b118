"""Spans of a block of a test, collected in memory."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from carillon.telemetry.export import start_export


class Spans:
    """What has ended so far."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def all(self) -> tuple[ReadableSpan, ...]:
        """Ended spans, in the order in which they ended."""
        return self._exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        """Ended spans of one name."""
        return [span for span in self.all() if span.name == name]

    def traces(self) -> dict[int, list[str]]:
        """Names of the ended spans by trace id."""
        found: dict[int, list[str]] = {}
        for span in self.all():
            found.setdefault(trace_id(span), []).append(span.name)
        return found


def trace_id(span: ReadableSpan) -> int:
    """Trace of a span."""
    context = span.get_span_context()
    assert context is not None
    return context.trace_id


@contextmanager
def collect_spans(ratio: float = 1.0) -> Iterator[Spans]:
    """Trace, `ratio` of new requests, while the block runs."""
    exporter = InMemorySpanExporter()
    stop = start_export("test", None, exporter, ratio)
    try:
        yield Spans(exporter)
    finally:
        stop()
