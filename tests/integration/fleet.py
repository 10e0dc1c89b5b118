"""Every service as a process of its own, started, stopped and replaced one by one, with its exit status known."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from carillon_cli import up as platform
from carillon_cli.api import AdminApi, is_ready
from carillon_cli.demo import Demo, ensure_demo
from carillon_cli.servers import Home, start_servers
from carillon_cli.servers.ports import choose_ports
from carillon_cli.services import FRONT, SERVICES, variable

FIRST_PORT = 20_500
SPARE_PORT = 22_500
READY_S = 40.0


@dataclass
class Process:
    """One process of a service and the port that its HTTP server has."""

    service: str
    port: int
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_ready(self) -> None:
        deadline = time.monotonic() + READY_S
        while self.popen.poll() is None and time.monotonic() < deadline:
            if is_ready(self.url):
                return
            time.sleep(0.05)
        end = self.log.read_text()[-2000:]
        raise AssertionError(f"{self.service} on {self.port} is not ready, exit status {self.popen.poll()}:\n{end}")

    def terminate(self) -> tuple[int, float]:
        """SIGTERM; the exit status and the seconds that it took."""
        began = time.monotonic()
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(60), time.monotonic() - began


@dataclass
class Fleet:
    """The servers of a home and one process of each service; the front is ingest's, as with `carillon up`."""

    home: Home
    env: dict[str, str] = field(default_factory=dict)
    running: dict[str, Process] = field(default_factory=dict)
    all: list[Process] = field(default_factory=list)
    demo: Demo | None = None

    def start(self) -> None:
        self.home.make()
        servers = start_servers(self.home)
        names = [*SERVICES, "simulator-smpp", "front"]
        ports = choose_ports(self.home.path, names, FIRST_PORT)
        front = ports.pop("front")
        self.env = {**os.environ, **platform.environment(self.home, servers, "token", front, ports)}
        self.env["CARILLON_MANAGEMENT_URL"] = servers.management_url
        for service in SERVICES:
            if service != FRONT:
                self.running[service] = self._begin(service, ports[service])
        self.running[FRONT] = self._begin(FRONT, front)
        for process in self.all:
            process.wait_ready()
        self.demo = ensure_demo(self.admin, self.home, f"{self.running['simulator'].url}/simulator/callbacks")

    @property
    def admin(self) -> AdminApi:
        return AdminApi(self.front, "token")

    @property
    def front(self) -> str:
        return self.running[FRONT].url

    def roll(self, service: str, before_term: Callable[[], None]) -> tuple[int, float]:
        """A new process beside the old one, on another port; when it is ready the old one is told to go."""
        old = self.running[service]
        port = choose_ports(self.home.path, [service], SPARE_PORT)[service]
        new = self._begin(service, port)
        new.wait_ready()
        before_term()
        self.running[service] = new  # a router sends new requests there; the old one still answers those it has
        return old.terminate()

    def restart(self, service: str, before_term: Callable[[], None]) -> tuple[int, float]:
        """The process is told to go, and started again on the same port when it is gone."""
        old = self.running[service]
        before_term()
        ended = old.terminate()
        self.running[service] = self._begin(service, old.port)
        self.running[service].wait_ready()
        return ended

    def stop(self) -> None:
        for process in reversed(self.all):
            if process.popen.poll() is None:
                process.popen.send_signal(signal.SIGTERM)
        for process in self.all:
            try:
                process.popen.wait(40)
            except subprocess.TimeoutExpired:
                process.popen.kill()
                process.popen.wait()

    def simulator(self, path: str, method: str = "GET", body: Any = None) -> Any:
        return call(method, f"{self.running['simulator'].url}/simulator{path}", body)

    def _begin(self, service: str, port: int) -> Process:
        self.env["CARILLON_PORT" if service == FRONT else variable(service)] = str(port)
        words = [service, "--front"] if service == FRONT else [service]
        path = self.home.log_file(f"{service}-{port}")
        with path.open("ab") as log:
            popen = subprocess.Popen(
                [sys.executable, "-m", "carillon_cli", "run", *words],
                env=self.env,
                cwd=self.home.path,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.all.append(Process(service, port, popen, path))
        return self.all[-1]


def call(method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
    """One JSON call."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url, data=data, method=method, headers={"Content-Type": "application/json", **(headers or {})}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"null")
