"""Homes, ports, pid files and where servers come from, without starting a server."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from carillon_cli.servers import Home, ServerError, Servers, docker, mongod, packages, rabbitmq, start_servers
from carillon_cli.servers.home import default_home
from carillon_cli.servers.ports import choose_ports, is_free
from carillon_cli.servers.processes import (
    kill_by_pid_file,
    running_pid,
    start_detached,
    stop_by_pid_file,
    wait_ready,
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.make()
    return home


def program(folder: Path, name: str, script: str = "exit 0") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_home_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CARILLON_HOME", str(tmp_path / "elsewhere"))
    assert default_home() == tmp_path / "elsewhere"
    monkeypatch.delenv("CARILLON_HOME")
    assert default_home().name == ".carillon"
    assert (default_home().parent / "requirements").is_dir()


def test_home_remembers_for_its_owner_only(home: Home) -> None:
    assert home.recall("mongod") == {}
    home.remember("mongod", {"port": 28100})
    home.remember("rabbitmq", {"password": "p"})
    assert Home(home.path).recall("mongod") == {"port": 28100}
    assert stat.S_IMODE((home.path / "servers.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700


def test_two_homes_get_different_ports_and_a_home_gets_the_same_again(tmp_path: Path) -> None:
    names = ["one", "two", "three"]
    first = choose_ports(tmp_path / "a", names)
    assert choose_ports(tmp_path / "a", names) == first
    assert len(set(first.values())) == 3
    assert not set(first.values()) & set(choose_ports(tmp_path / "b", names).values())
    assert all(26_000 <= port < 32_768 for port in first.values())


def test_a_taken_port_moves_the_whole_block(tmp_path: Path) -> None:
    names = ["one", "two"]
    first = choose_ports(tmp_path, names)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first["two"]))
        taken.listen()
        assert not is_free(first["two"])
        assert not set(choose_ports(tmp_path, names).values()) & set(first.values())


def test_a_detached_process_is_known_by_its_pid_file(home: Home) -> None:
    pid = start_detached(home, "sleeper", ["sleep", "60"], {"PATH": os.environ["PATH"]})
    pid_file = home.pid_file("sleeper")
    assert running_pid(pid_file) == pid
    assert os.getsid(pid) != os.getsid(0)
    assert stop_by_pid_file(pid_file)
    assert running_pid(pid_file) is None
    assert not pid_file.exists()
    assert not stop_by_pid_file(pid_file)


def test_a_process_that_ignores_sigterm_is_killed(home: Home) -> None:
    script = program(home.path, "stubborn", "trap '' TERM\nwhile :; do sleep 0.1; done")
    start_detached(home, "stubborn", [script], {"PATH": os.environ["PATH"]})
    assert stop_by_pid_file(home.pid_file("stubborn"), timeout_s=0.3)
    start_detached(home, "stubborn", [script], {"PATH": os.environ["PATH"]})
    kill_by_pid_file(home.pid_file("stubborn"))
    assert running_pid(home.pid_file("stubborn")) is None


def test_a_reused_pid_is_not_taken_for_our_process(home: Home) -> None:
    pid_file = home.pid_file("old")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        pid_file.write_text(f"{stranger.pid}\n")
        assert running_pid(pid_file) == stranger.pid
        os.utime(pid_file, (1_000_000_000, 1_000_000_000))
        assert running_pid(pid_file) is None
        stranger.kill()


@pytest.mark.parametrize("content", ["", "abc", "4194305"])
def test_a_pid_file_without_a_process_means_not_running(home: Home, content: str) -> None:
    home.pid_file("stale").write_text(content)
    assert running_pid(home.pid_file("stale")) is None


def test_a_server_that_dies_while_starting_shows_its_log(home: Home) -> None:
    script = program(home.path, "dying", "echo no space left; exit 1")
    start_detached(home, "dying", [script], {})
    with pytest.raises(ServerError, match="no space left"):
        wait_ready(home, "dying", lambda: False, timeout_s=5)


def test_urls_in_the_environment_replace_both_servers(monkeypatch: pytest.MonkeyPatch, home: Home) -> None:
    monkeypatch.setenv("CARILLON_AMQP_URL", "amqp://broker.example/")
    monkeypatch.setenv("CARILLON_MONGO_URL", "mongodb://database.example/")
    monkeypatch.delenv("CARILLON_MANAGEMENT_URL", raising=False)
    assert start_servers(home) == Servers("amqp://broker.example/", "mongodb://database.example/", "")
    assert not list(home.run.glob("*.pid"))


def test_debians_program_comes_before_the_wrapper_on_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wrapper = program(tmp_path / "bin", "rabbitmq-server")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert rabbitmq.find_program(debian=tmp_path / "none") == wrapper
    real = program(tmp_path / "lib", "rabbitmq-server")
    assert rabbitmq.find_program(debian=real) == real
    monkeypatch.setenv("PATH", str(tmp_path))
    assert rabbitmq.find_program(debian=tmp_path / "none") is None


def test_mongod_on_path_comes_before_the_downloaded_one(monkeypatch: pytest.MonkeyPatch, home: Home) -> None:
    monkeypatch.setenv("PATH", str(home.path / "bin"))
    assert mongod.find_program(home) is None
    downloaded = home.tools / mongod.WHEEL_PROGRAM
    downloaded.parent.mkdir(parents=True)
    program(downloaded.parent, "mongod")
    assert mongod.find_program(home) == downloaded
    on_path = program(home.path / "bin", "mongod")
    assert mongod.find_program(home) == on_path


def test_without_any_source_the_error_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, home: Home) -> None:
    monkeypatch.delenv("CARILLON_AMQP_URL", raising=False)
    monkeypatch.delenv("CARILLON_MONGO_URL", raising=False)
    monkeypatch.setenv("PATH", str(home.path))
    monkeypatch.setattr(mongod, "WHEEL_PIN", home.path / "none")
    with pytest.raises(ServerError, match="CARILLON_MONGO_URL"):
        mongod.start(home, lambda line: None)
    monkeypatch.setattr(rabbitmq, "find_program", lambda: None)
    with pytest.raises(ServerError, match="apt-get install rabbitmq-server"):
        rabbitmq.start(home, lambda line: None)


def test_a_container_is_the_last_source(monkeypatch: pytest.MonkeyPatch, home: Home) -> None:
    calls = home.path / "calls"
    script = f'echo "$@" >> {calls}; case "$1 $3" in "inspect {{{{.State.Pid}}}}") echo 4194305;; esac'
    program(home.path / "bin", "docker", script)
    monkeypatch.setenv("PATH", f"{home.path / 'bin'}:/bin:/usr/bin")
    monkeypatch.setattr(rabbitmq, "find_program", lambda: None)
    monkeypatch.setattr(packages, "can_install", lambda: False)
    monkeypatch.setattr(rabbitmq, "START_TIMEOUT_S", 0.2)
    assert docker.engine_answers()
    with pytest.raises(ServerError, match=r"docker logs carillon-[0-9a-f]{8}-rabbitmq"):
        rabbitmq.start(home, lambda line: None)
    port = home.recall("rabbitmq")["ports"]["amqp"]
    assert f"--publish 127.0.0.1:{port}:5672" in calls.read_text()
    assert home.pid_file("rabbitmq").read_text() == "4194305\n"


def test_installing_leaves_no_policy_behind_and_asks_for_no_recommended_packages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    policy = tmp_path / "policy-rc.d"
    seen = tmp_path / "seen"
    program(tmp_path / "bin", "apt-get", f'echo "$@" >> {seen}; test -x {policy} && {policy}; echo $? >> {seen}')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    monkeypatch.setattr(packages, "POLICY", policy)
    monkeypatch.setattr(packages, "root_prefix", list)
    packages.install(["rabbitmq-server"], tmp_path / "apt.log", lambda line: None)
    assert "install -y --no-install-recommends rabbitmq-server\n101\n" in seen.read_text()
    assert not policy.exists()
    program(tmp_path / "bin", "apt-get", "echo broken >&2; exit 100")
    with pytest.raises(ServerError, match="could not install rabbitmq-server"):
        packages.install(["rabbitmq-server"], tmp_path / "apt.log", lambda line: None)
    assert "broken" in (tmp_path / "apt.log").read_text()
    assert not policy.exists()
