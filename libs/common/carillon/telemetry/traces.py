"""Traces: spans, and W3C `traceparent` carried by hand (clause numbers: W3C Trace Context, level 1).

A span exists only where a trace is sampled. A request's first span decides (`root=True`); later ones follow
what they are given: the record's `trace`, a header, or the span around them. Where nothing is sampled, or
tracing is off, `span` gives back one and the same object that does nothing (0.2 us).

A batch joins messages of several traces. So that each trace tells its whole story, `span(links=...)` leaves a
span of that name in every trace it is given, linked to one another, with the same start, end and outcome. Below a
request's span these are siblings, in the order of time; `causes` links each to the span that published what it
handles, so that the way back to the request can be walked too.
"""

import random
import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Any, Literal

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)

from carillon.telemetry import names

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Attributes = Mapping[str, str | int | float | bool]

MAX_JOINED_TRACES = 64  # of one batch; a link limit of 128 is the OpenTelemetry SDK's own
HEADER = "traceparent"

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")  # 3.2.2
_KINDS = {kind.name.lower(): kind for kind in SpanKind}

_tracer: trace.Tracer | None = None
_ratio: float = 0.0


def use_tracer(tracer: trace.Tracer | None, ratio: float) -> None:
    """Switch tracing on or, with None, off, for the whole process.

    `ratio` of new requests is sampled, 0 to 1.
    """
    global _tracer, _ratio
    _tracer, _ratio = tracer, ratio


def span(
    name: str,
    *,
    parent: str | None = None,
    links: Iterable[str | None] = (),
    causes: Iterable[str | None] = (),
    attributes: Attributes | None = None,
    root: bool = False,
    kind: Kind = "internal",
) -> AbstractContextManager[Span]:
    """Open a span around a `with` block; it ends with the block and is marked failed if that raises.

    `parent` is a traceparent; without one the current span is the parent. `links` are traceparents (None is
    skipped) of the messages in a batch. `causes` are the spans that published the batch (`causes_of`): links, and
    nothing else. `root=True` at the edge of the system: nothing around it counts, `parent` is what the client sent,
    and without a sampled one the ratio decides.
    """
    if _tracer is None:
        return _NOTHING
    above = _context_of(parent)
    if root:
        sampled = above is not None and above.trace_flags.sampled
        if not sampled and random.random() >= _ratio:  # noqa: S311  sampling is no secret
            return _NOTHING
        return _Open(_tracer, name, above, [], [], attributes, kind)
    if above is None:
        here = trace.get_current_span().get_span_context()
        above = here if here.is_valid else None
    joined = _distinct(links, above)
    if above is None and joined:
        above = joined.pop(0)
    if above is None or not above.trace_flags.sampled:
        return _NOTHING
    return _Open(_tracer, name, above, joined, _causes(causes), attributes, kind)


def begin(name: str, parent: str | None, attributes: Attributes | None = None, *, kind: Kind = "client") -> Span | None:
    """Start a span that a callback ends (`span.end()`), below a message's traceparent; None when it isn't sampled."""
    if parent is None or _tracer is None:
        return None
    above = _context_of(parent)
    if above is None or not above.trace_flags.sampled:
        return None
    return _tracer.start_span(name, _below(above), kind=_KINDS[kind], attributes=attributes)


def current_traceparent() -> str | None:
    """Traceparent of the current span, to be put into a record; None when nothing is sampled here."""
    if _tracer is None:
        return None
    context = trace.get_current_span().get_span_context()
    if not context.is_valid or not context.trace_flags.sampled:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"


def inject(headers: MutableMapping[str, Any]) -> None:
    """Put the current span into the headers of a RabbitMQ message or an HTTP request, if it is sampled."""
    traceparent = current_traceparent()
    if traceparent is not None:
        headers[HEADER] = traceparent


def links_of(headers: Mapping[str, Any]) -> tuple[str, ...]:
    """The sampled trace that headers carry, ready for `span(links=...)`; empty when there is none."""
    value = headers.get(HEADER)
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    context = _context_of(value) if isinstance(value, str) else None
    return (value,) if isinstance(value, str) and context is not None and context.trace_flags.sampled else ()


def causes_of(headers: Iterable[Mapping[str, Any]]) -> Iterator[str | None]:
    """What each message's headers say of the span that published it, ready for `span(causes=...)`."""
    for each in headers:
        value = each.get(HEADER)
        yield value.decode("latin-1") if isinstance(value, bytes) else value


def _context_of(traceparent: str | None) -> SpanContext | None:
    """Read a traceparent.

    None for none and for what is not well-formed (3.2.2.2: then the receiver starts anew).
    """
    if traceparent is None:
        return None
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None or match[1] == "ff" or (match[1] == "00" and match[5]):
        return None
    context = SpanContext(
        int(match[2], 16), int(match[3], 16), is_remote=True, trace_flags=TraceFlags(int(match[4], 16))
    )
    return context if context.is_valid else None


def _distinct(links: Iterable[str | None], above: SpanContext | None) -> list[SpanContext]:
    """One sampled context for each trace among `links` that isn't the trace of `above`."""
    seen = {above.trace_id} if above is not None else set()
    found: list[SpanContext] = []
    for link in links:
        if link is None:
            continue
        context = _context_of(link)
        if context is None or context.trace_id in seen or not context.trace_flags.sampled:
            continue
        seen.add(context.trace_id)
        found.append(context)
        if len(found) == MAX_JOINED_TRACES:
            break
    return found


def _causes(traceparents: Iterable[str | None]) -> list[SpanContext]:
    found = [
        context for one in traceparents if (context := _context_of(one)) is not None and context.trace_flags.sampled
    ]
    return found[:MAX_JOINED_TRACES]


class _Open:
    """A span of a sampled trace, and its twins in the other traces that a batch joins."""

    def __init__(
        self,
        tracer: trace.Tracer,
        name: str,
        above: SpanContext | None,
        joined: list[SpanContext],
        causes: list[SpanContext],
        attributes: Attributes | None,
        kind: Kind,
    ) -> None:
        self._tracer = tracer
        self._start = (name, above, joined, causes, attributes, _KINDS[kind])
        self._spans: list[Span] = []
        self._current = ExitStack()

    def __enter__(self) -> Span:
        name, above, joined, causes, attributes, kind = self._start
        came_from = [Link(context) for context in causes]
        main = self._tracer.start_span(
            name,
            _below(above),
            kind=kind,
            attributes=attributes,
            links=[*(Link(context) for context in joined), *came_from],
        )
        back = [Link(main.get_span_context()), *came_from]
        twins = [
            self._tracer.start_span(name, _below(context), kind=kind, attributes=attributes, links=back)
            for context in joined
        ]
        self._spans = [main, *twins]
        self._current.enter_context(trace.use_span(main, record_exception=False, set_status_on_exception=False))
        return main

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._current.close()
        for opened in self._spans:
            if kind is not None and issubclass(kind, Exception):
                # the type only: an error's words may quote a number or a text
                opened.set_attribute(names.ERROR_TYPE, kind.__name__)
                opened.set_status(Status(StatusCode.ERROR))
            opened.end()


def _below(context: SpanContext | None) -> Context:
    return Context() if context is None else trace.set_span_in_context(NonRecordingSpan(context), Context())


class _Nothing:
    """The span that isn't there."""

    __slots__ = ()

    def __enter__(self) -> Span:
        return trace.INVALID_SPAN

    def __exit__(self, *_: object) -> None:
        return None


_NOTHING = _Nothing()
