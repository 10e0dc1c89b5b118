"""A real RabbitMQ and mongod for any test that asks: the environment's, or private ones for this session.

The private ones are containers where a Docker engine can give them, else processes (`CARILLON_TEST_SERVERS`, see
tests/containers.py); tests that kill servers (`own_home`) always have processes. `CARILLON_AMQP_URL` (with
`CARILLON_MANAGEMENT_URL`, where virtual hosts are made) and `CARILLON_MONGO_URL` replace the private servers. Tests
share the servers and nothing in them: each has its own virtual host and database prefix.
"""

import base64
import os
import secrets
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings
from pymongo import MongoClient

from carillon_cli.servers import Home, Servers, default_home, discard_servers, start_servers
from tests import containers

# a busy machine is slow, not wrong
settings.register_profile("carillon", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("carillon")

# as a test's output shows it: one line an event, a plain traceback
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S.%f", utc=True),
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Both servers, running until the session ends."""
    home = new_home(str(os.getpid()))
    if containers.wanted():
        with containers.running(home) as started:
            yield started
        return
    yield start_servers(home)
    discard_servers(home)


@pytest.fixture
def own_home() -> Iterator[Home]:
    """A home for servers that this test alone starts, kills and starts again; nothing runs yet."""
    home = new_home(f"{os.getpid()}-{secrets.token_hex(4)}")
    yield home
    discard_servers(home)


def new_home(name: str) -> Home:
    """A new home under .carillon/test; homes that a killed session left behind are cleared away first."""
    root = default_home()
    for left in (root / "test").glob("*"):
        if not _runs(int(left.name.partition("-")[0])):
            discard_servers(Home(left))
    return Home(root / "test" / name, tools=root / "tools")


def _runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.fixture(scope="session")
def amqp_url(servers: Servers) -> str:
    """The broker with its default virtual host, which tests share: prefer `vhost_url`."""
    return servers.amqp_url


@pytest.fixture(scope="session")
def mongo_url(servers: Servers) -> str:
    """The database server; take database names that begin with `mongo_prefix`."""
    return servers.mongo_url


@pytest.fixture
def amqp_vhost(servers: Servers) -> Iterator[str]:
    """The name of a virtual host of this test alone, deleted with all that is in it."""
    if not servers.management_url:
        pytest.fail("CARILLON_AMQP_URL needs CARILLON_MANAGEMENT_URL too: http://user:password@host:15672")
    name = f"test-{secrets.token_hex(6)}"
    _manage(servers.management_url, "PUT", f"/api/vhosts/{name}")
    yield name
    _manage(servers.management_url, "DELETE", f"/api/vhosts/{name}")


@pytest.fixture
def vhost_url(servers: Servers, amqp_vhost: str) -> str:
    """The broker's URL with this test's own virtual host."""
    return urllib.parse.urlsplit(servers.amqp_url)._replace(path=f"/{amqp_vhost}").geturl()


@pytest.fixture
def mongo_prefix(mongo_url: str) -> Iterator[str]:
    """What this test's database names begin with; those databases are dropped at its end."""
    prefix = f"t{secrets.token_hex(4)}_"
    yield prefix
    with MongoClient[dict[str, object]](mongo_url) as client:
        for name in client.list_database_names():
            if name.startswith(prefix):
                client.drop_database(name)


def _manage(management_url: str, method: str, path: str) -> None:
    """One call of RabbitMQ's management API; the URL carries the credentials."""
    parts = urllib.parse.urlsplit(management_url)
    user = f"{urllib.parse.unquote(parts.username or 'guest')}:{urllib.parse.unquote(parts.password or 'guest')}"
    request = urllib.request.Request(  # noqa: S310
        f"{parts.scheme}://{parts.hostname}:{parts.port or 15672}{path}",
        method=method,
        data=b"{}" if method == "PUT" else None,
        headers={
            "Authorization": "Basic " + base64.b64encode(user.encode()).decode(),
            "Content-Type": "application/json",
        },
    )
    urllib.request.urlopen(request, timeout=30).close()  # noqa: S310
