"""Where everything is, for commands that look at a platform: as given, else the environment, else `carillon up`'s."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

import typer

from carillon_cli.servers.home import Home
from carillon_cli.servers.processes import running_pid
from carillon_cli.services import FRONT, running_ports

AmqpUrl = Annotated[str, typer.Option("--amqp-url", help="The broker; default CARILLON_AMQP_URL, else demo.env.")]
ManagementUrl = Annotated[
    str, typer.Option("--management-url", help="http://user:password@host:15672; default CARILLON_MANAGEMENT_URL.")
]
MongoUrl = Annotated[str, typer.Option("--mongo-url", help="The database; default CARILLON_MONGO_URL, else demo.env.")]
Url = Annotated[str, typer.Option("--url", help="The public address; default CARILLON_URL, else demo.env.")]
Targets = Annotated[
    str, typer.Option("--services", help="receipt=http://host:8084,... ; default CARILLON_FRONT_TARGETS.")
]


class NoPlaceError(Exception):
    """An address is needed that nobody gave."""


@dataclass(frozen=True, slots=True)
class Places:
    """Addresses by name, empty where unknown. `services` are base URLs; `data` is the folder of `carillon up`."""

    amqp_url: str
    management_url: str
    mongo_url: str
    mongo_prefix: str
    url: str
    services: Mapping[str, str]
    operators_file: str
    admin_token: str
    data: Path

    def need(self, name: str) -> str:
        """The address of this name; `NoPlaceError` says how to give it."""
        value: str = getattr(self, name)
        if not value:
            raise NoPlaceError(f"no address: set CARILLON_{name.upper()}, or start a platform here with `carillon up`")
        return value

    @property
    def vhost(self) -> str:
        """The virtual host that the broker's URL names."""
        return unquote(urlsplit(self.amqp_url).path[1:]) or "/"


def find_places(
    home: Home, amqp_url: str = "", management_url: str = "", mongo_url: str = "", url: str = "", services: str = ""
) -> Places:
    """What is given wins, then the environment, then what `carillon up` wrote, as far as it is of the same broker."""
    known = {**_demo_env(home), **{name: value for name, value in os.environ.items() if value}}
    broker = amqp_url or known.get("CARILLON_AMQP_URL", "")
    if amqp_url and amqp_url != known.get("CARILLON_AMQP_URL"):
        known.pop("CARILLON_MANAGEMENT_URL", None)  # another broker's
    public = url or known.get("CARILLON_URL", "")
    listed = services or os.environ.get("CARILLON_FRONT_TARGETS", "")
    ours = public == _demo_env(home).get("CARILLON_URL")
    file = os.environ.get("CARILLON_OPERATORS_FILE", "") or (str(home.path / "operators.toml") if ours else "")
    return Places(
        amqp_url=broker,
        management_url=management_url or known.get("CARILLON_MANAGEMENT_URL", ""),
        mongo_url=mongo_url or known.get("CARILLON_MONGO_URL", ""),
        mongo_prefix=known.get("CARILLON_MONGO_PREFIX", ""),
        url=public,
        services=_parse(listed) if listed else (_running(home) if ours else {}),
        operators_file=file,
        admin_token=known.get("CARILLON_ADMIN_TOKEN", ""),
        data=home.path,
    )


def _demo_env(home: Home) -> dict[str, str]:
    try:
        words = shlex.split((home.path / "demo.env").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {name: value for name, _, value in (word.partition("=") for word in words) if value}


def _running(home: Home) -> dict[str, str]:
    """With one process per service, each by its own port; the front is known by its address."""
    ports = running_ports(home)
    names = [name for name in home.recall("platform").get("names", []) if name in ports and name != FRONT]
    return {name: f"http://127.0.0.1:{ports[name]}" for name in names if running_pid(home.pid_file(name))}


def _parse(listed: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in listed.split(",") if pair.strip()]
    wrong = [name for name, _, url in pairs if not url.startswith(("http://", "https://"))]
    if wrong:
        raise NoPlaceError(f"{wrong[0]}: names and URLs are wanted: receipt=http://127.0.0.1:8084,accounts=...")
    return {name.strip(): url.strip().rstrip("/") for name, _, url in pairs}
