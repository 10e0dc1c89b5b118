"""What `carillon up` writes and chooses, without starting anything."""

import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from carillon_cli import main, up
from carillon_cli.demo import Demo, write_env
from carillon_cli.operators import MARK, write_operators_file
from carillon_cli.servers import Home, ServerError, Servers
from carillon_cli.servers.processes import start_detached
from carillon_cli.services import DEFAULT_PORTS, SERVICES, free_ports, port_environment, running_ports
from dispatcher.domain.operators import parse

SERVERS = Servers("amqp://u:p@127.0.0.1:1/", "mongodb://127.0.0.1:2/?replicaSet=rs0&w=majority", "http://127.0.0.1:3")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.make()
    return home


DEMO = Demo("demo", "demo", "p&w'd", "ck_live_x")


def shell(script: str) -> str:
    return subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, check=True).stdout.decode()


def sourced(home: Home, name: str) -> str:
    return shell(f'. "{home.path}/demo.env"; printf %s "${name}"')


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_a_shell_reads_back_what_demo_env_holds(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    home = Home(tmp_path_factory.mktemp("home"))
    write_env(home, {"CARILLON_MONGO_URL": value})
    assert sourced(home, "CARILLON_MONGO_URL") == value


def test_demo_env_is_for_its_owner_only_and_names_everything(home: Home) -> None:
    running = up.Running("http://127.0.0.1:8080", "http://127.0.0.1:8080/simulator", ["carillon"], DEMO)
    write_env(home, up.demo_values(running, SERVERS, "token"))
    assert stat.S_IMODE((home.path / "demo.env").stat().st_mode) == 0o600
    assert sourced(home, "CARILLON_MONGO_URL") == SERVERS.mongo_url
    assert sourced(home, "CARILLON_PASSWORD") == "p&w'd"
    names = {line.partition("=")[0] for line in (home.path / "demo.env").read_text().splitlines()}
    expected = "URL DOOR LOGIN PASSWORD API_KEY ADMIN_TOKEN AMQP_URL MONGO_URL MANAGEMENT_URL SIMULATOR_URL"
    assert names == {f"CARILLON_{name}" for name in expected.split(" ")}


def test_the_line_to_try_is_one_that_a_shell_understands(home: Home) -> None:
    text = up.welcome(home, up.Running("http://127.0.0.1:8080", "http://127.0.0.1:8080/simulator", ["carillon"], DEMO))
    line = next(line for line in text.splitlines() if "curl" in line)
    push = "http://127.0.0.1:8080/Ext/demo.asp?login=demo&password=p%26w%27d&number=33612345678&content=Hello"
    assert shell("curl() { printf '%s|' \"$@\"; }\n" + line[line.index("curl") :]) == f"{push}|"


def test_the_operators_file_is_one_that_the_dispatcher_takes(home: Home) -> None:
    path = write_operators_file(home, 2776, "secret")
    file = parse(path.read_text())
    assert [(operator.name, operator.port) for operator in file.operators] == [("simulator", 2776)]
    assert [route.prefix for route in file.routes] == [""]


def test_an_operators_file_that_a_person_changed_is_left_alone(home: Home) -> None:
    path = write_operators_file(home, 2776, "secret")
    assert "2777" in write_operators_file(home, 2777, "secret").read_text()
    path.write_text(path.read_text().removeprefix(MARK))
    assert "2778" not in write_operators_file(home, 2778, "secret").read_text()


def test_services_get_the_usual_ports_unless_they_are_taken(home: Home) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = taken.getsockname()[1]
        home.remember("services", {"simulator-smpp": busy})
        ports = free_ports(home)
    assert set(ports) == set(DEFAULT_PORTS)
    assert ports["simulator-smpp"] != busy
    assert len(set(ports.values())) == len(ports)
    assert running_ports(home) == ports
    assert port_environment({"simulator-smpp": 5})["CARILLON_SIMULATOR_SMPP_PORT"] == "5"


def test_services_are_told_the_homes_addresses(monkeypatch: pytest.MonkeyPatch, home: Home) -> None:
    monkeypatch.delenv("CARILLON_OPERATORS_FILE", raising=False)
    env = up.environment(home, SERVERS, "token", 8080, DEFAULT_PORTS)
    assert env["CARILLON_AMQP_URL"] == SERVERS.amqp_url
    assert env["CARILLON_SIMULATOR_PASSWORD"] in Path(env["CARILLON_OPERATORS_FILE"]).read_text()
    assert up.environment(home, SERVERS, "token", 8080, DEFAULT_PORTS) == env
    monkeypatch.setenv("CARILLON_OPERATORS_FILE", "/etc/carillon/operators.toml")
    assert "CARILLON_OPERATORS_FILE" not in up.environment(home, SERVERS, "token", 8080, DEFAULT_PORTS)


def test_a_taken_public_port_is_told_before_anything_starts(home: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ServerError, match="CARILLON_PORT"):
            up.bring_up(home, taken.getsockname()[1], apart=False, say=lambda line: None)
    assert not list(home.run.glob("*.pid"))


def test_status_and_watch_see_a_process_that_died(monkeypatch: pytest.MonkeyPatch, home: Home) -> None:
    monkeypatch.setenv("CARILLON_HOME", str(home.path))
    home.remember("platform", {"names": ["carillon"]})
    assert CliRunner().invoke(main.app, ["status"]).exit_code == 3
    start_detached(home, "carillon", ["sleep", "60"], {"PATH": os.environ["PATH"]})
    shown = CliRunner().invoke(main.app, ["status"])
    assert shown.exit_code == 0
    assert "carillon     running, pid" in shown.output
    assert up.first_died(home, ["carillon"]) is None
    assert CliRunner().invoke(main.app, ["down"]).exit_code == 0
    assert up.watch(home, ["carillon"], print) == "carillon"
    assert "the end of its log" in up.log_end(home, "carillon")


def test_an_unknown_service_is_refused_by_name() -> None:
    refused = CliRunner().invoke(main.app, ["run", "billing"])
    assert refused.exit_code == 2
    assert all(name in refused.output for name in SERVICES)
