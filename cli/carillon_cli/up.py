"""Bring everything up on one machine, watch it, and take it down in order."""

import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from carillon_cli import demo, operators
from carillon_cli.api import AdminApi, is_ready, problems_of
from carillon_cli.servers import Home, ServerError, Servers, start_servers, stop_servers
from carillon_cli.servers.ports import is_free
from carillon_cli.servers.processes import running_pid, start_detached, stop_by_pid_file
from carillon_cli.services import FRONT, SERVICES, free_ports, port_environment, running_ports

TOGETHER = "carillon"  # the one process that runs all services
READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 40.0
WATCH_S = 0.5

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Running:
    """What is up: its public address, its processes in starting order, and the demo account."""

    url: str
    simulator_url: str
    names: Sequence[str]
    demo: demo.Demo


def bring_up(home: Home, port: int, apart: bool, say: Say) -> Running:
    """Start what does not run yet, wait until all is ready, make the demo account; ServerError says what to do.

    What runs already keeps its port and its way (together or apart); a process that died is started again.
    """
    home.make()
    facts = home.recall("platform")
    names = SERVICES if apart else (TOGETHER,)
    again = is_up(home)
    if again:
        port, names = facts["port"], tuple(facts["names"])
    elif not is_free(port):
        raise ServerError(f"port {port} is taken by another program: choose one with CARILLON_PORT=8090")
    token = os.environ.get("CARILLON_ADMIN_TOKEN") or facts.get("admin_token") or secrets.token_urlsafe(24)
    home.remember("platform", {"admin_token": token, "port": port, "names": list(names)})
    servers = start_servers(home, say)
    ports = running_ports(home) if again else free_ports(home)
    env = {**os.environ, **environment(home, servers, token, port, ports)}
    for name in names:
        _start(home, name, env, say)
    url = f"http://127.0.0.1:{port}"
    _wait_ready(home, names, url)
    apart = len(names) > 1
    simulator_url = f"http://127.0.0.1:{ports['simulator']}/simulator" if apart else f"{url}/simulator"
    account = demo.ensure_demo(AdminApi(url, token), home, f"{simulator_url}/callbacks")
    running = Running(url, simulator_url, names, account)
    demo.write_env(home, demo_values(running, servers, token))
    return running


def environment(home: Home, servers: Servers, token: str, port: int, ports: Mapping[str, int]) -> dict[str, str]:
    """What services read of the addresses and secrets that belong to this home."""
    simulator_password = home.recall("simulator").get("password") or secrets.token_urlsafe(6)
    home.remember("simulator", {"password": simulator_password})
    hash_key = home.recall("numbers").get("hash_key") or secrets.token_urlsafe(32)
    home.remember("numbers", {"hash_key": hash_key})
    ours = {
        **port_environment(ports),
        "CARILLON_PORT": str(port),
        "CARILLON_PUBLIC_URL": os.environ.get("CARILLON_PUBLIC_URL") or f"http://127.0.0.1:{port}",
        # credit for test cards; a Stripe key takes its place
        "CARILLON_TEST_PAYMENTS": os.environ.get("CARILLON_TEST_PAYMENTS") or "true",
        "CARILLON_AMQP_URL": servers.amqp_url,
        "CARILLON_MONGO_URL": servers.mongo_url,
        "CARILLON_ADMIN_TOKEN": token,
        # lost, it makes every suppression unrecognisable: whoever sets one keeps it
        "CARILLON_NUMBER_HASH_KEY": os.environ.get("CARILLON_NUMBER_HASH_KEY") or hash_key,
        "CARILLON_SIMULATOR_PASSWORD": simulator_password,
        # the demo account's receipts go to the simulator's page, on this machine
        "CARILLON_CALLBACK_ALLOW_PRIVATE": "true",
    }
    if "CARILLON_OPERATORS_FILE" not in os.environ:
        file = operators.write_operators_file(home, ports["simulator-smpp"], simulator_password)
        ours["CARILLON_OPERATORS_FILE"] = str(file)
    return ours


def is_up(home: Home) -> bool:
    """Whether any service runs from this home."""
    return any(running_pid(home.pid_file(name)) for name in (TOGETHER, *SERVICES))


def _start(home: Home, name: str, env: dict[str, str], say: Say) -> None:
    if running_pid(home.pid_file(name)):
        say("the services already run" if name == TOGETHER else f"{name} already runs")
        return
    say("starting the services" if name == TOGETHER else f"starting {name}")
    words = [] if name == TOGETHER else [name]
    if name == FRONT:
        words.append("--front")
    start_detached(home, name, [sys.executable, "-m", "carillon_cli", "run", *words], env)


def _wait_ready(home: Home, names: Sequence[str], url: str) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not is_ready(url):
        died = first_died(home, names)
        if died:
            raise ServerError(f"{died} stopped while starting\n{log_end(home, died)}")
        if time.monotonic() > deadline:
            raise ServerError(f"the services are not ready after {READY_TIMEOUT_S:.0f} s: {problems_of(url)}")
        time.sleep(0.1)


def first_died(home: Home, names: Sequence[str]) -> str | None:
    """The first of these processes that does not run any more."""
    return next((name for name in names if running_pid(home.pid_file(name)) is None), None)


def log_end(home: Home, name: str) -> str:
    """The last lines of a process' log, with the log's place."""
    log = home.log_file(name)
    lines = log.read_text(errors="replace").splitlines()[-15:] if log.exists() else []
    return "\n".join([f"the end of its log, {log}:", *lines])


def watch(home: Home, names: Sequence[str], say: Say) -> str | None:
    """Wait for Ctrl-C or SIGTERM (None) or for a process to die (its name)."""
    asked = threading.Event()
    before = {number: signal.signal(number, lambda *_: asked.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    say("Ctrl-C stops everything")  # from now on it does
    try:
        while not asked.wait(WATCH_S):
            died = first_died(home, names)
            if died:
                return died
        return None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def bring_down(home: Home, say: Say) -> None:
    """Stop the services, doors first, then the servers."""
    home.make()
    for name in (TOGETHER, *reversed(SERVICES)):
        if stop_by_pid_file(home.pid_file(name), STOP_TIMEOUT_S):
            say("services stopped" if name == TOGETHER else f"{name} stopped")
    stop_servers(home, say)


def demo_values(running: Running, servers: Servers, token: str) -> dict[str, str]:
    """What demo.env holds."""
    return {
        "CARILLON_URL": running.url,
        "CARILLON_DOOR": running.demo.door,
        "CARILLON_LOGIN": running.demo.login,
        "CARILLON_PASSWORD": running.demo.password,
        "CARILLON_API_KEY": running.demo.api_key,
        "CARILLON_ADMIN_TOKEN": token,
        "CARILLON_AMQP_URL": servers.amqp_url,
        "CARILLON_MONGO_URL": servers.mongo_url,
        "CARILLON_MANAGEMENT_URL": servers.management_url,
        "CARILLON_SIMULATOR_URL": running.simulator_url,
    }


def welcome(home: Home, running: Running) -> str:
    """What to try first."""
    account = running.demo
    push = (
        f"{running.url}/Ext/{account.door}.asp?login={account.login}&password={quote(account.password)}"
        "&number=33612345678&content=Hello"
    )
    return f"""
Carillon is up.

  send an SMS        curl '{push}'
  see it arrive      {running.simulator_url}/   (handsets, and the receipts that the demo account gets)
  the JSON API       {running.url}/v1/messages   (Authorization: Bearer {account.api_key})
  all addresses      {home.path}/demo.env   (source it in a shell)
  logs               {home.logs}
"""
