"""The tests' RabbitMQ and MongoDB in containers (testcontainers), and whether they come from there.

`CARILLON_TEST_SERVERS` is `containers`, `local` or `auto` (the default: containers where a Docker engine answers and
has, or can pull, the images). `RABBITMQ_IMAGE` and `MONGO_IMAGE` name other images.
"""

import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from carillon_cli.containers import initiate_replica_set
from carillon_cli.servers import Servers, docker, mongod, rabbitmq
from carillon_cli.servers.home import Home
from carillon_cli.servers.ports import choose_ports

FIRST_PORT = 29_100
ASK_REGISTRY_S = 5.0
START_TIMEOUT_S = 120.0


def rabbitmq_image() -> str:
    return os.environ.get("RABBITMQ_IMAGE") or rabbitmq.IMAGE


def mongo_image() -> str:
    return os.environ.get("MONGO_IMAGE") or mongod.IMAGE


def wanted() -> bool:
    """Whether this session's servers are containers. URLs in the environment replace both kinds."""
    if os.environ.get("CARILLON_AMQP_URL") or os.environ.get("CARILLON_MONGO_URL"):
        return False
    chosen = os.environ.get("CARILLON_TEST_SERVERS", "auto")
    if chosen not in ("containers", "local", "auto"):
        raise pytest.UsageError(f"CARILLON_TEST_SERVERS is containers, local or auto, and not {chosen!r}")
    if chosen != "auto":
        return chosen == "containers"
    return docker.engine_answers() and all(_can_be_had(image) for image in _images())


def _images() -> list[str]:
    """All that a session needs; the last is testcontainers' own, which clears away what a killed session left."""
    from testcontainers.core.config import testcontainers_config

    reaper = [] if testcontainers_config.ryuk_disabled else [testcontainers_config.ryuk_image]
    return [rabbitmq_image(), mongo_image(), *reaper]


def _can_be_had(image: str) -> bool:
    here = subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False)
    if here.returncode == 0:
        return True
    try:
        asked = subprocess.run(
            ["docker", "manifest", "inspect", image], capture_output=True, timeout=ASK_REGISTRY_S, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


@contextmanager
def running(home: Home) -> Iterator[Servers]:
    """Both servers until the block ends; `home` only says where to look for a free port."""
    from testcontainers.core.container import DockerContainer  # half a second that most sessions need not spend

    # A replica set tells its clients its member's address: the same port inside and outside makes it true in both.
    port = choose_ports(home.path, ["mongod"], FIRST_PORT)["mongod"]
    mongo = DockerContainer(mongo_image()).with_bind_ports(port, port)
    mongo = mongo.with_command(f"mongod --bind_ip_all --replSet rs0 --port {port} --wiredTigerCacheSizeGB 0.5")
    broker = DockerContainer(rabbitmq_image()).with_exposed_ports(5672, 15672)
    with broker, mongo:
        initiate_replica_set(f"127.0.0.1:{port}")
        address = f"guest:guest@{broker.get_container_host_ip()}"
        management_url = f"http://{address}:{broker.get_exposed_port(15672)}"
        _wait_for_listener(f"http://{broker.get_container_host_ip()}:{broker.get_exposed_port(15672)}")
        yield Servers(
            f"amqp://{address}:{broker.get_exposed_port(5672)}/",
            f"mongodb://127.0.0.1:{port}/?replicaSet=rs0&w=majority",
            management_url,
        )


def _wait_for_listener(management_url: str) -> None:
    """Wait for the broker itself: Docker's proxy takes connections long before it does."""
    request = urllib.request.Request(
        f"{management_url}/api/health/checks/port-listener/5672", headers={"Authorization": "Basic Z3Vlc3Q6Z3Vlc3Q="}
    )
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            urllib.request.urlopen(request, timeout=5).close()
        except OSError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.2)
        else:
            return
