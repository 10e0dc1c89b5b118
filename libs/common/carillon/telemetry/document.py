"""`python -m carillon.telemetry.document docs/metrics.md`: the catalogue as a page for people."""

import sys
from collections.abc import Sequence
from pathlib import Path

from carillon.telemetry.exposition import prometheus_name
from carillon.telemetry.instruments import Counter, Histogram, Instrument
from carillon.telemetry.labels import LABELS
from carillon.telemetry.metrics import CATALOGUE

_HEAD = """\
# Metrics

Made from the code by `make generated`; a test fails when it is stale. Every service shows its own at `/metrics` on
its port, in Prometheus' text format; with all services in one process, the front shows all of them.

Names are OpenTelemetry's, dotted and with the unit apart; Prometheus sees them as the second column says. A histogram
is there as `..._bucket`, `..._sum` and `..._count`. Values are of one process since its start: take `rate()` of
counters, `sum` over processes, except where "over all processes" or "of all clients" is said (take `max`).
"""

_LABELS = """
## Labels

No label holds a number, an id, an account, a phone number or a text: every label is one of these, with few values.

| label | values |
|---|---|
"""

_PROCESS = """
## Of the process

prometheus_client's own, for every process: `process_cpu_seconds_total`, `process_resident_memory_bytes`,
`process_virtual_memory_bytes`, `process_open_fds`, `process_max_fds`, `process_start_time_seconds`,
`python_gc_collections_total`, `python_gc_objects_collected_total`, `python_gc_objects_uncollectable_total`,
`python_info`.

## Of the servers

Dashboards and alerts use these too: `up` and `scrape_duration_seconds` (Prometheus' own), and of RabbitMQ's plugin
`rabbitmq_prometheus` (port 15692) the ones below. Queue depths come from `/metrics/detailed`, which
`infra/prometheus/prometheus.yaml` asks for.

"""

# What dashboards and alerts may use beside the catalogue.
OF_THE_PROCESS = (
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_virtual_memory_bytes",
    "process_open_fds",
    "process_max_fds",
    "process_start_time_seconds",
)
OF_PROMETHEUS = ("up", "scrape_duration_seconds")
OF_RABBITMQ: dict[str, str] = {
    "rabbitmq_detailed_queue_messages": "messages (batches of records) in a queue, ready and unacknowledged",
    "rabbitmq_detailed_queue_messages_ready": "messages that wait in a queue",
    "rabbitmq_detailed_queue_messages_unacked": "messages that a consumer has and has not acknowledged",
    "rabbitmq_detailed_queue_consumers": "consumers of a queue",
    "rabbitmq_connections": "open connections",
    "rabbitmq_channels": "open channels",
    "rabbitmq_process_resident_memory_bytes": "memory of the broker",
    "rabbitmq_resident_memory_limit_bytes": "memory at which it stops publishers",
    "rabbitmq_disk_space_available_bytes": "free disk",
    "rabbitmq_disk_space_available_limit_bytes": "free disk at which it stops publishers",
    "rabbitmq_alarms_memory_used_watermark": "1 while publishers are stopped for memory",
    "rabbitmq_alarms_free_disk_space_watermark": "1 while publishers are stopped for disk",
    "rabbitmq_global_messages_received_total": "messages from publishers",
    "rabbitmq_global_messages_confirmed_total": "messages confirmed to publishers",
}


def page() -> str:
    """The whole page, as Markdown."""
    parts = [_HEAD]
    for title, instruments in _groups():
        parts.append(
            f"\n## {title}\n\n| metric | in Prometheus | kind | labels | what it is |\n|---|---|---|---|---|\n"
        )
        parts += [_line(instrument) for instrument in instruments]
    parts.append(_LABELS)
    parts += [f"| `{name}` | {text} |\n" for name, text in sorted(LABELS.items())]
    parts.append(_PROCESS)
    parts.append("| metric | what it is |\n|---|---|\n")
    parts += [f"| `{name}` | {text} |\n" for name, text in OF_RABBITMQ.items()]
    return "".join(parts)


def exposed_names(instrument: Instrument) -> tuple[str, ...]:
    """Names under which Prometheus knows an instrument."""
    name = prometheus_name(instrument)
    if isinstance(instrument, Counter):
        return (f"{name}_total",)
    return (f"{name}_bucket", f"{name}_sum", f"{name}_count") if isinstance(instrument, Histogram) else (name,)


def known_names() -> frozenset[str]:
    """Every metric that a dashboard or an alert may name."""
    ours = {name for instrument in CATALOGUE for name in exposed_names(instrument)}
    return frozenset(ours.union(OF_THE_PROCESS, OF_PROMETHEUS, OF_RABBITMQ))


_TITLES = {
    "carillon.http": "Doors and APIs",
    "carillon.requests": "Doors and APIs",
    "carillon.messages": "Doors and APIs",
    "carillon.passwords": "Doors and APIs",
    "carillon.commit": "Bus",
    "carillon.bus": "Bus",
    "carillon.submit": "Operators",
    "carillon.submits": "Operators",
    "carillon.binds": "Operators",
    "carillon.window": "Operators",
    "carillon.line": "Operators",
    "carillon.reports": "Operators",
    "carillon.inbound": "Operators",
    "carillon.receipts": "Receipts and callbacks",
    "carillon.urgent": "Receipts and callbacks",
    "carillon.callback": "Receipts and callbacks",
    "carillon.callbacks": "Receipts and callbacks",
    "carillon.credit": "Credit",
    "carillon.mongo": "Process and servers",
    "carillon.ready": "Process and servers",
    "carillon.loop": "Process and servers",
    "carillon.build": "Process and servers",
}


def _groups() -> Sequence[tuple[str, list[Instrument]]]:
    groups: dict[str, list[Instrument]] = {title: [] for title in dict.fromkeys(_TITLES.values())}
    for instrument in CATALOGUE:
        family = ".".join(instrument.name.split(".")[:2])
        groups.setdefault(_TITLES.get(family, "Others"), []).append(instrument)
    return list(groups.items())


def _line(instrument: Instrument) -> str:
    exposed = prometheus_name(instrument) if isinstance(instrument, Histogram) else exposed_names(instrument)[0]
    unit = f" [{instrument.unit}]"
    labels = ", ".join(f"`{label}`" for label in instrument.labels) or "-"
    return f"| `{instrument.name}`{unit} | `{exposed}` | {instrument.kind} | {labels} | {instrument.description} |\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
