"""A RabbitMQ node of our own: own ports, name server and data, next to whatever broker the system runs."""

import os
import secrets
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from carillon_cli.servers import docker, packages
from carillon_cli.servers.errors import ServerError
from carillon_cli.servers.home import Home, write_private
from carillon_cli.servers.ports import choose_ports, comes_free, is_free
from carillon_cli.servers.processes import (
    running_pid,
    start_detached,
    stop_by_pid_file,
    wait_ready,
    wait_until,
)

NAME = "rabbitmq"
USER = "carillon"
IMAGE = "rabbitmq:3.13-management"
PORTS = ["amqp", "management", "stream", "prometheus", "distribution", "epmd"]
PLUGINS = "[rabbitmq_management,rabbitmq_prometheus,rabbitmq_stream]."
START_TIMEOUT_S = 120.0

# Debian's /usr/sbin/rabbitmq-server changes to the system's user and data; the program behind it does not.
DEBIAN_PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")

HOW_TO_GET_ONE = """no RabbitMQ was found and none could be installed. One of these helps:
  - sudo apt-get install rabbitmq-server     (Debian, Ubuntu; Carillon starts a private node of it)
  - start a Docker engine that this user may use
  - CARILLON_AMQP_URL=amqp://user:password@host:5672/ and CARILLON_MANAGEMENT_URL=http://user:password@host:15672"""

# For small machines: an early disk alarm and a 512 MiB write-ahead log help nobody who tries Carillon on a
# laptop, and statistics every 5 s are most of an idle broker's CPU time.
CONFIG = """\
listeners.tcp.local = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = {prometheus}
stream.listeners.tcp.local = 127.0.0.1:{stream}
default_user = {user}
default_pass = {password}
disk_free_limit.absolute = 200MB
raft.wal_max_size_bytes = 67108864
collect_statistics_interval = 10000
management.rates_mode = none
log.file.level = info
log.file.rotation.size = 10485760
log.file.rotation.count = 3
log.connection.level = warning
"""


def find_program(debian: Path = DEBIAN_PROGRAM) -> Path | None:
    """The server's program: Debian's, wherever PATH points, or another one on PATH."""
    if os.access(debian, os.X_OK):
        return debian
    found = shutil.which("rabbitmq-server")
    return Path(found) if found else None


def install(home: Home, say: Callable[[str], None]) -> Path | None:
    """The program, installed with apt-get if it is missing; None when only a container is possible."""
    program = find_program()
    if program or not packages.can_install():
        return program
    try:
        packages.install(["rabbitmq-server"], home.log_file("apt"), say)
    except ServerError as error:
        if not docker.engine_answers():
            raise ServerError(f"{error}\n{HOW_TO_GET_ONE}") from error
    return find_program()


def start(home: Home, say: Callable[[str], None]) -> tuple[str, str]:
    """Start the node unless it runs; returns the URLs of AMQP and of the management API, with credentials."""
    facts = home.recall(NAME)
    if not (facts and is_running(home) and _answers(facts)):
        stop(home)
        facts = _chosen_facts(home, facts)
        program = None if facts.get("source") == "docker" and docker.engine_answers() else install(home, say)
        if program:
            facts["source"] = "program"
            home.remember(NAME, facts)
            _start_program(home, program, facts, say)
        elif docker.engine_answers():
            facts["source"] = "docker"
            home.remember(NAME, facts)
            _start_container(home, facts, say)
        else:
            raise ServerError(HOW_TO_GET_ONE)
    return _urls(facts)


def remembered_url(home: Home) -> str | None:
    """The AMQP URL of the node that was started from this home last; None: there was none."""
    facts = home.recall(NAME)
    return _urls(facts)[0] if facts else None


def _urls(facts: dict[str, Any]) -> tuple[str, str]:
    address = f"{USER}:{facts['password']}@127.0.0.1"
    return f"amqp://{address}:{facts['ports']['amqp']}/", f"http://{address}:{facts['ports']['management']}"


def stop(home: Home) -> bool:
    """Stop the node in order, then its name server; says whether it ran."""
    if home.recall(NAME).get("source") == "docker":
        ran = docker.is_running(home, NAME)
        if ran:
            docker.stop_container(home, NAME)
        return ran
    ran = stop_by_pid_file(home.pid_file(NAME), timeout_s=60.0)
    stop_by_pid_file(home.pid_file("epmd"))
    return ran


def is_running(home: Home) -> bool:
    """Whether the node's process (or container) is there."""
    if home.recall(NAME).get("source") == "docker":
        return docker.is_running(home, NAME)
    return running_pid(home.pid_file(NAME)) is not None


def _chosen_facts(home: Home, facts: dict[str, Any]) -> dict[str, Any]:
    """Last time's ports if all are still free, and last time's password, for it is in the node's data."""
    ports = facts.get("ports", {})
    if set(ports) != set(PORTS) or not all(comes_free(port) for port in ports.values()):
        ports = choose_ports(home.path, PORTS)
    return {**facts, "ports": ports, "password": facts.get("password") or secrets.token_urlsafe(18)}


def _start_program(home: Home, program: Path, facts: dict[str, Any], say: Callable[[str], None]) -> None:
    ports = facts["ports"]
    data = home.path / NAME
    data.mkdir(mode=0o700, exist_ok=True)
    write_private(data / "rabbitmq.conf", CONFIG.format(user=USER, password=facts["password"], **ports))
    (data / "enabled_plugins").write_text(PLUGINS + "\n")
    env = node_environment(home, ports)
    say(f"starting RabbitMQ on 127.0.0.1:{ports['amqp']}")
    epmd = shutil.which("epmd")
    if epmd:  # else the node starts one itself, on the same port
        start_detached(home, "epmd", [epmd, "-port", str(ports["epmd"]), "-address", "127.0.0.1"], env)
        wait_until(lambda: not is_free(ports["epmd"]), 5.0)
    start_detached(home, NAME, [program], env)
    wait_ready(home, NAME, lambda: _answers(facts), START_TIMEOUT_S)


def node_environment(home: Home, ports: dict[str, int]) -> dict[str, str]:
    """The environment that makes a node private (rabbitmq.com/docs/configure); nothing else is passed on."""
    data = home.path / NAME
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(data),  # the Erlang cookie is made here
        "ERL_EPMD_PORT": str(ports["epmd"]),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": "carillon@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(ports["amqp"]),
        "RABBITMQ_DIST_PORT": str(ports["distribution"]),
        "RABBITMQ_CONFIG_FILE": str(data / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(data / "advanced.config"),
        "RABBITMQ_CONF_ENV_FILE": str(data / "rabbitmq-env.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(data / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(data / "data"),
        "RABBITMQ_LOG_BASE": str(home.logs),
        "RABBITMQ_LOGS": str(home.logs / "rabbitmq-node.log"),
        # Run the Erlang machine itself and not under a shell, so that its pid is the one we keep.
        "RABBITMQ_ALLOW_INPUT": "1",
        "RABBITMQ_SERVER_START_ARGS": "-noinput +B i",
        # Schedulers that spin before they sleep took a fifth more CPU under load on two cores.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none"
        " -kernel inet_dist_use_interface {127,0,0,1}",
    }


def _start_container(home: Home, facts: dict[str, Any], say: Callable[[str], None]) -> None:
    ports = facts["ports"]
    inside = {"amqp": 5672, "management": 15672, "stream": 5552, "prometheus": 15692}
    options = [word for name, port in inside.items() for word in ("--publish", f"127.0.0.1:{ports[name]}:{port}")]
    options += [
        "--env",
        f"RABBITMQ_DEFAULT_USER={USER}",
        "--env",
        f"RABBITMQ_DEFAULT_PASS={facts['password']}",
    ]
    options += ["--volume", f"{docker.container_name(home, NAME)}:/var/lib/rabbitmq"]
    command = [
        "sh",
        "-c",
        "rabbitmq-plugins enable --offline rabbitmq_stream rabbitmq_prometheus && rabbitmq-server",
    ]
    docker.start_container(home, NAME, IMAGE, options, command, say)
    if not wait_until(lambda: _answers(facts), START_TIMEOUT_S):
        raise ServerError(f"RabbitMQ's container does not answer: docker logs {docker.container_name(home, NAME)}")


def _answers(facts: dict[str, Any]) -> bool:
    """Whether the node takes connections: it opens its AMQP port as the last step of its start."""
    try:
        socket.create_connection(("127.0.0.1", facts["ports"]["amqp"]), timeout=2).close()
    except OSError:
        return False
    return True
