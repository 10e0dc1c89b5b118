"""`carillon up` as a stranger types it: a message goes out, its receipts come back, and a second start finds it all."""

import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping

import pytest

from carillon_cli.servers import Home
from carillon_cli.servers.ports import choose_ports
from carillon_cli.servers.processes import running_pid
from carillon_cli.services import SERVICES

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


class Machine:
    """One data folder and port, and the `carillon` command on it."""

    def __init__(self, home: Home, env: Mapping[str, str]) -> None:
        self.home = home
        self.port = choose_ports(home.path, ["front"], first=22_000)["front"]
        home.make()
        home.tools.mkdir(parents=True, exist_ok=True)
        (home.path / "tools").symlink_to(home.tools)  # mongod is downloaded once for all tests
        packages = os.pathsep.join(path for path in sys.path if path)
        self.env = {**os.environ, "CARILLON_HOME": str(home.path), "PYTHONPATH": packages, **env}

    def start(self, *words: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "carillon_cli", *words]
        return subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def carillon(self, *words: str) -> str:
        with self.start(*words) as process:
            output = process.communicate(timeout=120)[0]
        assert process.returncode == 0, output
        return output

    def up(self, *words: str) -> str:
        return self.carillon("up", "--port", str(self.port), "--detach", *words)

    def demo_env(self) -> dict[str, str]:
        lines = (self.home.path / "demo.env").read_text().splitlines()
        return {name: shlex.split(value)[0] for name, _, value in (line.partition("=") for line in lines)}

    def push(self, number: str, text: str) -> str:
        env = self.demo_env()
        query = urllib.parse.urlencode(
            {
                "login": env["CARILLON_LOGIN"],
                "password": env["CARILLON_PASSWORD"],
                "number": number,
                "content": text,
            }
        )
        return read(f"{env['CARILLON_URL']}/Ext/{env['CARILLON_DOOR']}.asp?{query}")

    def receipts(self, message_id: str) -> str:
        return read(f"{self.demo_env()['CARILLON_SIMULATOR_URL']}/callbacks.json?msgid={message_id}")

    def pids(self) -> dict[str, int | None]:
        return {path.stem: running_pid(path) for path in sorted(self.home.run.glob("*.pid"))}


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def eventually(condition: Callable[[], bool], timeout_s: float = 10.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@pytest.fixture
def bare_machine(own_home: Home) -> Iterator[Machine]:
    """Nothing runs yet, not even servers."""
    machine = Machine(own_home, {})
    yield machine
    machine.carillon("down")


@pytest.fixture
def machine(own_home: Home, vhost_url: str, mongo_url: str, mongo_prefix: str) -> Iterator[Machine]:
    """Servers are there, given by URL."""
    servers = {"CARILLON_AMQP_URL": vhost_url, "CARILLON_MONGO_URL": mongo_url, "CARILLON_MONGO_PREFIX": mongo_prefix}
    machine = Machine(own_home, servers)
    yield machine
    machine.carillon("down")


def assert_a_message_goes_through(machine: Machine) -> None:
    message_id = machine.push("33612345678", "Hello")
    assert message_id.isdigit(), message_id
    assert eventually(lambda: '"handset"' in machine.receipts(message_id)), machine.receipts(message_id)
    assert '"operator"' in machine.receipts(message_id)


def test_all_in_one_process_and_again(bare_machine: Machine) -> None:
    machine = bare_machine
    output = machine.up()
    assert "curl 'http://127.0.0.1:" in output
    assert_a_message_goes_through(machine)
    first, pids = machine.demo_env(), machine.pids()
    assert pids["carillon"]
    assert "CARILLON_AMQP_URL" in os.environ or {"rabbitmq", "mongod"} <= set(pids)
    assert "already run" in machine.up()
    assert machine.demo_env() == first
    assert machine.pids() == pids
    assert "running" in machine.carillon("status")

    machine.carillon("down")
    assert machine.pids() == {}
    machine.up()
    assert machine.demo_env() == first
    assert_a_message_goes_through(machine)


def test_one_process_per_service_and_a_killed_one_comes_back(machine: Machine) -> None:
    machine.up("--processes")
    assert set(SERVICES) <= set(machine.pids())
    assert_a_message_goes_through(machine)
    killed = machine.pids()["dispatcher"]
    assert killed
    os.kill(killed, signal.SIGKILL)
    assert "starting dispatcher" in machine.up("--processes")
    assert machine.pids()["dispatcher"] != killed
    assert_a_message_goes_through(machine)


def test_in_the_foreground_ctrl_c_stops_everything(machine: Machine) -> None:
    process = machine.start("up", "--port", str(machine.port))
    assert process.stdout
    for line in process.stdout:
        if "Ctrl-C stops everything" in line:
            break
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=60)[0]
    assert process.returncode == 0, rest
    assert "services stopped" in rest
    assert machine.pids() == {}


def test_in_the_foreground_a_died_process_stops_everything(machine: Machine) -> None:
    process = machine.start("up", "--port", str(machine.port))
    assert process.stdout
    for line in process.stdout:
        if "Ctrl-C stops everything" in line:
            break
    pid = machine.pids()["carillon"]
    assert pid
    os.kill(pid, signal.SIGKILL)
    rest = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert "carillon died" in rest
    assert machine.pids() == {}
