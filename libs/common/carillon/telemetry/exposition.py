"""The catalogue in Prometheus' text format, with the process's memory, CPU and file descriptors.

Names are translated as OpenTelemetry's Prometheus exporters do: dots become underscores, the unit is spelt
out behind (`carillon.submit.duration` [s] is `carillon_submit_duration_seconds`), counters end in `_total`.
"""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from carillon.telemetry.instruments import Counter, Gauge, Histogram, Instrument
from carillon.telemetry.metrics import CATALOGUE

CONTENT_TYPE = CONTENT_TYPE_LATEST
_UNITS = {"s": "seconds", "By": "bytes"}


def prometheus_name(instrument: Instrument) -> str:
    """Name of a metric in Prometheus, without the suffix that counters and histograms add."""
    name = instrument.name.replace(".", "_")
    unit = _UNITS.get(instrument.unit)
    return f"{name}_{unit}" if unit else name


def render_metrics() -> bytes:
    """The answer to GET /metrics."""
    return generate_latest(_registry)


class _Catalogue(Collector):
    def collect(self) -> Iterator[Metric]:
        for instrument in CATALOGUE:
            yield _family(instrument)


def _family(instrument: Instrument) -> Metric:
    name, description, labels = prometheus_name(instrument), instrument.description, instrument.labels
    if isinstance(instrument, Histogram):
        return _histogram(instrument, HistogramMetricFamily(name, description, labels=labels))
    if isinstance(instrument, Counter):
        counter = CounterMetricFamily(name, description, labels=labels)
        for values, value in instrument.values.items():
            counter.add_metric(values, value)
        return counter
    gauge = GaugeMetricFamily(name, description, labels=labels)
    if isinstance(instrument, Gauge):
        for values, value in instrument.current().items():
            gauge.add_metric(values, value)
    return gauge


def _histogram(histogram: Histogram, family: HistogramMetricFamily) -> HistogramMetricFamily:
    for values, series in histogram.series.items():
        seen, buckets = 0, []
        for bound, count in zip((*map(str, map(float, histogram.bounds)), "+Inf"), series.counts, strict=True):
            seen += count
            buckets.append((bound, float(seen)))
        family.add_metric(values, buckets, series.total)
    return family


def _make_registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Catalogue())
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


_registry = _make_registry()
