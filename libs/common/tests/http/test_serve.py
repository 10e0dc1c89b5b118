"""A service as a process of its own, started and told to stop as an orchestrator does."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

SERVICE = """
from fastapi import APIRouter
import structlog
from carillon.http.app import create_app
from carillon.http.serve import run_service
from carillon.runtime.lifecycle import Service
from carillon.runtime.settings import CarillonSettings

log = structlog.get_logger()

class Settings(CarillonSettings):
    sample_port: int

class Part:
    async def start(self):
        log.info("part.started")
    async def stop(self):
        log.info("part.stopped")

def build(settings):
    return Service("sample", create_app("Carillon sample", routers=[APIRouter()]), settings.sample_port, [Part()])

run_service(build, Settings)
"""
COMMON = Path(__file__).parents[2]


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_a_service_starts_serves_and_stops_in_order(told: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": str(COMMON), "CARILLON_SAMPLE_PORT": str(port), "CARILLON_GRACE_S": "2"}
    process = subprocess.Popen([sys.executable, "-c", SERVICE], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert _answer(f"http://127.0.0.1:{port}/livez") == {"status": "live"}
        process.send_signal(told)
        out, _ = process.communicate(timeout=15)
    finally:
        process.kill()
    assert process.returncode == 0
    events = [(line["service"], line["event"]) for line in map(json.loads, out.splitlines())]
    assert events[0] == ("sample", "part.started")
    assert events[-1] == ("sample", "part.stopped")
    assert ("sample", "Shutting down") in events  # the server, before the part


def _answer(url: str) -> object:
    deadline_s = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return json.load(answer)
        except OSError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.1)
