"""RabbitMQ and MongoDB for one checkout: given by URL, or private ones started and stopped from here."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from carillon_cli.servers import mongod, rabbitmq
from carillon_cli.servers.errors import ServerError
from carillon_cli.servers.home import Home, default_home
from carillon_cli.servers.processes import kill_by_pid_file

__all__ = [
    "Home",
    "ServerError",
    "Servers",
    "default_home",
    "discard_servers",
    "kill_server",
    "prepare",
    "start_servers",
    "stop_servers",
]


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the broker and the database are; `management_url` is empty when a broker was given without it."""

    amqp_url: str
    mongo_url: str
    management_url: str


def _silent(_line: str) -> None:
    """Say nothing."""


def prepare(home: Home, say: Callable[[str], None] = _silent) -> None:
    """Install what is missing to start the servers that no URL replaces."""
    with home.locked(say):
        if not os.environ.get("CARILLON_AMQP_URL"):
            rabbitmq.install(home, say)
        if not os.environ.get("CARILLON_MONGO_URL"):
            mongod.install(home, say)


def start_servers(home: Home, say: Callable[[str], None] = _silent) -> Servers:
    """Give both servers' addresses, starting the private ones that do not run; ServerError says what to do.

    `CARILLON_AMQP_URL` (with `CARILLON_MANAGEMENT_URL`) and `CARILLON_MONGO_URL` replace the private servers.
    """
    amqp_url = os.environ.get("CARILLON_AMQP_URL", "")
    management_url = os.environ.get("CARILLON_MANAGEMENT_URL", "")
    mongo_url = os.environ.get("CARILLON_MONGO_URL", "")
    with home.locked(say):
        mongo_url = mongo_url or mongod.start(home, say)
        if not amqp_url:
            amqp_url, management_url = rabbitmq.start(home, say)
    return Servers(amqp_url, mongo_url, management_url)


def stop_servers(home: Home, say: Callable[[str], None] = _silent) -> None:
    """Stop the private servers that run: the broker first, so that what it still wrote is written."""
    with home.locked(say):
        if rabbitmq.stop(home):
            say("RabbitMQ stopped")
        if mongod.stop(home):
            say("mongod stopped")


def kill_server(home: Home, name: str) -> None:
    """End a private server (`rabbitmq`, `mongod`) as a crash would; `start_servers` brings it back."""
    kill_by_pid_file(home.pid_file(name))


def discard_servers(home: Home) -> None:
    """End the private servers without ceremony and delete the home: for data that nobody wants again."""
    for name in (rabbitmq.NAME, "epmd", mongod.NAME):
        kill_server(home, name)
    stop_servers(home)  # what runs in a container
    home.remove()
