"""Traces across hand-carried context, and their cost when nothing is traced."""

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from carillon.telemetry import names, traces
from carillon.telemetry.start import start_telemetry
from carillon.telemetry.traces import begin, causes_of, current_traceparent, inject, links_of, span
from carillon.testing.spans import Spans, collect_spans, trace_id

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SAMPLED = f"00-{TRACE}-00f067aa0ba902b7-01"
UNSAMPLED = f"00-{TRACE}-00f067aa0ba902b7-00"


@pytest.fixture
def spans() -> Iterator[Spans]:
    with collect_spans() as collected:
        yield collected


def traceparent(trace: int) -> str:
    return f"00-{trace:032x}-{trace:016x}-01"


def test_nothing_happens_while_tracing_is_off() -> None:
    headers: dict[str, str] = {}
    with span(names.HTTP_REQUEST, root=True, parent=SAMPLED) as here:
        inject(headers)
        assert not here.is_recording()
        assert current_traceparent() is None
    assert headers == {}


def test_a_span_that_is_off_costs_next_to_nothing() -> None:
    best = min(_seconds_of_10_000_spans() for _ in range(5))
    assert best < 10_000 * 2e-6  # 0.5 us on an idle machine


def _seconds_of_10_000_spans() -> float:
    started = time.thread_time()
    for _ in range(10_000):
        with span(names.MESSAGE_ACCEPT, attributes={names.LANE: "bulk"}):
            pass
    return time.thread_time() - started


def test_one_trace_from_the_request_through_the_bus_to_the_callback(spans: Spans) -> None:
    headers: dict[str, str] = {}
    with span(names.HTTP_REQUEST, root=True, kind="server"):
        record_trace = current_traceparent()
        with span(names.MESSAGE_ACCEPT):
            inject(headers)
    with span(names.MESSAGE_ROUTE, links=links_of(headers), kind="consumer"):
        pass
    with span(names.CALLBACK_SEND, parent=record_trace):
        pass
    assert list(spans.traces().values()) == [
        [names.MESSAGE_ACCEPT, names.HTTP_REQUEST, names.MESSAGE_ROUTE, names.CALLBACK_SEND]
    ]
    (accept,) = spans.named(names.MESSAGE_ACCEPT)
    (route,) = spans.named(names.MESSAGE_ROUTE)
    assert route.parent is not None
    assert route.parent.span_id == accept.get_span_context().span_id  # type: ignore[union-attr]


def test_a_batch_leaves_a_span_in_each_trace_that_it_joins(spans: Spans) -> None:
    members = [traceparent(1), None, traceparent(2), traceparent(1), UNSAMPLED, "rubbish", traceparent(3)]
    with span(names.MESSAGE_SUBMIT, links=members, attributes={names.OPERATOR: "north"}):
        pass
    found = {trace_id(one): one for one in spans.named(names.MESSAGE_SUBMIT)}
    assert sorted(found) == [1, 2, 3]
    assert {link.context.trace_id for link in found[1].links} == {2, 3}
    assert [link.context.trace_id for link in found[2].links] == [1]
    assert all(dict(one.attributes or {}) == {names.OPERATOR: "north"} for one in found.values())


def test_a_batch_of_very_many_traces_is_bounded(spans: Spans) -> None:
    with span(names.MESSAGE_SUBMIT, links=[traceparent(number) for number in range(1, 501)]):
        pass
    assert len(spans.all()) == traces.MAX_JOINED_TRACES


def test_what_published_a_batch_is_linked_whatever_its_trace(spans: Spans) -> None:
    headers: list[dict[str, str]] = [{}, {"traceparent": traceparent(7)}, {"traceparent": UNSAMPLED}]
    with span(names.MESSAGE_ROUTE, links=[traceparent(1), traceparent(2)], causes=causes_of(headers)):
        pass
    for one in spans.named(names.MESSAGE_ROUTE):
        assert 7 in {link.context.trace_id for link in one.links}
        assert int(TRACE, 16) not in {link.context.trace_id for link in one.links}
    assert 7 not in spans.traces()


def test_a_span_that_a_callback_ends_hangs_below_its_message(spans: Spans) -> None:
    assert begin(names.OPERATOR_SUBMIT, None) is None
    assert begin(names.OPERATOR_SUBMIT, UNSAMPLED) is None
    assert begin(names.OPERATOR_SUBMIT, "rubbish") is None
    begun = begin(names.OPERATOR_SUBMIT, traceparent(9), {names.OPERATOR: "north"})
    assert begun is not None
    assert current_traceparent() is None  # it is nobody's surroundings
    begun.end()
    assert spans.traces() == {9: [names.OPERATOR_SUBMIT]}


def test_no_span_begins_while_tracing_is_off() -> None:
    assert begin(names.OPERATOR_SUBMIT, SAMPLED) is None


def test_a_failure_marks_every_span_of_the_batch_and_quotes_nothing(spans: Spans) -> None:
    with (
        pytest.raises(ValueError, match="336"),
        span(names.MESSAGE_SUBMIT, links=[traceparent(1), traceparent(2)]),
    ):
        raise ValueError("33612345678 refused")
    assert [(one.status.is_ok, dict(one.attributes or {})) for one in spans.all()] == [
        (False, {names.ERROR_TYPE: "ValueError"}),
        (False, {names.ERROR_TYPE: "ValueError"}),
    ]
    assert all(not one.events and one.status.description is None for one in spans.all())


def test_only_a_root_starts_a_trace(spans: Spans) -> None:
    with span(names.MESSAGE_ROUTE, links=[None]), span(names.MESSAGE_SUBMIT, parent=UNSAMPLED):
        pass
    assert spans.all() == ()


def test_the_ratio_decides_for_requests_without_a_sampled_trace() -> None:
    with collect_spans(ratio=0.0) as spans:
        for parent in (None, UNSAMPLED, "rubbish"):
            with span(names.HTTP_REQUEST, root=True, parent=parent):
                assert current_traceparent() is None
        with span(names.HTTP_REQUEST, root=True, parent=SAMPLED):
            pass
    assert [f"{trace_id(one):032x}" for one in spans.all()] == [TRACE]


def test_a_root_takes_no_notice_of_the_span_around_it(spans: Spans) -> None:
    with span(names.HTTP_REQUEST, root=True), span(names.HTTP_REQUEST, root=True):
        pass
    assert len(spans.traces()) == 2


@pytest.mark.parametrize(
    "value",
    [
        "", "00", f"ff-{TRACE}-00f067aa0ba902b7-01", f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01", SAMPLED.upper(), SAMPLED + "-x", SAMPLED + "\n", f" {SAMPLED}", UNSAMPLED, 7, None,
    ],
)  # fmt: skip
def test_headers_without_a_sampled_wellformed_trace_link_to_nothing(value: object) -> None:
    assert links_of({"traceparent": value}) == ()


def test_headers_may_hold_bytes_and_later_versions() -> None:
    assert links_of({"traceparent": SAMPLED.encode()}) == (SAMPLED,)
    later = f"01-{TRACE}-00f067aa0ba902b7-01-more"
    assert links_of({"traceparent": later}) == (later,)
    assert links_of({}) == ()


@given(st.text(max_size=80))
def test_any_traceparent_is_read_without_an_error(value: str) -> None:
    with collect_spans() as spans, span(names.HTTP_REQUEST, root=True, parent=value):
        pass
    assert len(spans.all()) == 1


def test_spans_reach_the_exporter_that_is_given_at_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    exporter = InMemorySpanExporter()
    telemetry = start_telemetry("ingest", exporter=exporter, trace_ratio=1.0)
    with span(names.HTTP_REQUEST, root=True):
        pass
    (done,) = exporter.get_finished_spans()
    telemetry.stop()
    assert done.resource.attributes["service.name"] == "ingest"
    with span(names.HTTP_REQUEST, root=True) as after:
        assert not after.is_recording()


def test_span_and_attribute_names_are_listed_once() -> None:
    constants = {value for key, value in vars(names).items() if key.isupper() and isinstance(value, str)}
    assert constants == set(names.SPANS) | set(names.ATTRIBUTES)
    assert len(names.SPANS) + len(names.ATTRIBUTES) == len(constants)
