"""Logs, traces and metrics.

`start.start_telemetry` once a process, then `traces.span` and `metrics.record_*`.
"""
