"""The catalogue, what it shows, and what it costs."""

import asyncio
import inspect
import re
import time
from collections.abc import Callable, Sequence

import pytest
from prometheus_client.parser import text_string_to_metric_families

from carillon.telemetry import metrics
from carillon.telemetry.exposition import prometheus_name, render_metrics
from carillon.telemetry.instruments import Counter, Histogram, Instrument
from carillon.telemetry.labels import LABELS
from carillon.telemetry.watch import Watch

ALLOWED_LABELS = {
    "service", "method", "route", "status", "door", "outcome", "lane", "code", "committer", "event", "queue",
    "operator", "state", "form", "version", "command",
}  # fmt: skip
RECORDERS = [function for name, function in vars(metrics).items() if name.startswith(("record_", "set_"))]


@pytest.mark.parametrize("instrument", metrics.CATALOGUE, ids=lambda one: one.name)
def test_an_instrument_is_well_declared(instrument: Instrument) -> None:
    assert re.fullmatch(r"carillon(\.[a-z]+)+", instrument.name)
    assert re.fullmatch(r"s|By|\{[a-z]+\}", instrument.unit)
    assert instrument.description
    assert not instrument.description.endswith(".")
    assert set(instrument.labels) <= ALLOWED_LABELS


def test_the_catalogue_is_complete_and_without_doubles() -> None:
    declared = [value for value in vars(metrics).values() if isinstance(value, Instrument)]
    assert sorted(one.name for one in metrics.CATALOGUE) == sorted(one.name for one in declared)
    assert len({one.name for one in declared}) == len(declared)


def test_every_label_is_described_and_every_description_is_used() -> None:
    assert set(LABELS) == ALLOWED_LABELS == {label for one in metrics.CATALOGUE for label in one.labels}


def call(recorder: Callable[..., None]) -> None:
    """Call a recorder with a word for each str, 2 for each number, and one number for each sequence."""
    recorder(*(_value(parameter.annotation) for parameter in inspect.signature(recorder).parameters.values()))


def _value(annotation: object) -> object:
    if annotation is str:
        return "word"
    return [2.0] if annotation == Sequence[float] else 2


@pytest.mark.parametrize("recorder", RECORDERS, ids=lambda one: one.__name__)
def test_each_recorder_writes_its_instrument_with_all_labels(recorder: Callable[..., None]) -> None:
    call(recorder)
    names = inspect.getclosurevars(recorder).globals
    written = [value for value in names.values() if isinstance(value, Instrument)]
    assert written
    for instrument in written:
        keys = instrument.series if isinstance(instrument, Histogram) else getattr(instrument, "values")  # noqa: B009
        assert keys
        assert all(len(labels) == len(instrument.labels) for labels in keys)


def test_every_instrument_has_a_recorder() -> None:
    written = {
        value.name
        for recorder in (*RECORDERS, metrics.watch_committer)
        for value in inspect.getclosurevars(recorder).globals.values()
        if isinstance(value, Instrument)
    }
    assert written == {one.name for one in metrics.CATALOGUE}


def test_prometheus_reads_what_was_recorded() -> None:
    before = metrics.ACCEPTED.value("json", "bulk")
    metrics.record_accepted("json", "bulk", 500)
    metrics.record_submit_duration("exposed", 0.004)
    metrics.record_submit_duration("exposed", 0.005)
    metrics.record_submit_duration("exposed", 900.0)
    metrics.set_binds_up("exposed", 2)
    metrics.set_binds_up("exposed", 1)
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(render_metrics().decode())
        for sample in family.samples
    }
    assert samples["carillon_messages_accepted_total", ("door", "json"), ("lane", "bulk")] == before + 500
    assert samples["carillon_binds_up", ("operator", "exposed")] == 1
    name = "carillon_submit_duration_seconds"
    assert samples[f"{name}_bucket", ("le", "0.0025"), ("operator", "exposed")] == 0
    assert samples[f"{name}_bucket", ("le", "0.005"), ("operator", "exposed")] == 2
    assert samples[f"{name}_bucket", ("le", "60.0"), ("operator", "exposed")] == 2
    assert samples[f"{name}_bucket", ("le", "+Inf"), ("operator", "exposed")] == 3
    assert samples[f"{name}_count", ("operator", "exposed")] == 3
    assert samples[f"{name}_sum", ("operator", "exposed")] == pytest.approx(900.009)
    assert samples[("process_resident_memory_bytes",)] > 0


def test_a_watched_gauge_is_asked_at_each_scrape_until_it_is_forgotten() -> None:
    waiting = [3]
    metrics.watch_committer("watched", lambda: waiting[0])
    try:
        assert b'carillon_commit_waiting{committer="watched"} 3.0' in render_metrics()
        waiting[0] = 7
        assert b'carillon_commit_waiting{committer="watched"} 7.0' in render_metrics()
    finally:
        metrics.forget_committer("watched")
    assert b'"watched"' not in render_metrics()


async def test_a_process_watches_its_loop_and_its_services() -> None:
    problems: dict[str, str] = {"rabbitmq": "not connected"}
    watch = Watch("watched", {"watched": lambda: problems})
    await watch.start()
    await asyncio.sleep(0.02)
    assert metrics.READY.value("watched") == 0
    problems.clear()
    await asyncio.sleep(0.45)
    time.sleep(0.15)  # noqa: ASYNC251  what it is to notice
    await asyncio.sleep(0.05)
    assert metrics.READY.value("watched") == 1
    assert metrics.LOOP_LAG.sum("watched") >= 0.05
    await watch.stop()
    assert metrics.READY.value("watched") == 0


def test_units_are_spelt_out_for_prometheus() -> None:
    assert prometheus_name(metrics.SUBMIT_DURATION) == "carillon_submit_duration_seconds"
    assert prometheus_name(Counter("a.b", "By", "d")) == "a_b_bytes"
    assert prometheus_name(metrics.BINDS_UP) == "carillon_binds_up"


def test_a_histogram_takes_many_equal_values_at_once() -> None:
    histogram = Histogram("a.b", "s", "d", ("x",), bounds=(1, 10))
    histogram.observe(1, ("y",), count=3)
    histogram.observe(11, ("y",))
    assert histogram.series["y",].counts == [3, 0, 1]
    assert (histogram.count("y"), histogram.sum("y")) == (4, 14)
    histogram.observe_all([1, 5, 500], ("z",))
    assert (histogram.series["z",].counts, histogram.sum("z")) == ([1, 1, 1], 506)
    assert (histogram.count("a"), histogram.sum("a")) == (0, 0.0)


@pytest.mark.parametrize(
    ("record", "limit_us"),
    [
        (lambda: metrics.record_accepted("json", "bulk", 500), 2.0),
        (lambda: metrics.record_request("json", "accepted"), 2.0),
        (lambda: metrics.record_submit_duration("north", 0.02), 4.0),
    ],
)
def test_recording_is_cheap(record: Callable[[], None], limit_us: float) -> None:
    def seconds() -> float:
        started = time.thread_time()
        for _ in range(10_000):
            record()
        return time.thread_time() - started

    assert min(seconds() for _ in range(5)) < 10_000 * limit_us * 1e-6
