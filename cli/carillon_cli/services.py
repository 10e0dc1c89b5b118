"""The services of Carillon: in which order they start, on which ports, and how each is built."""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, get_type_hints

from carillon_cli.servers.home import Home
from carillon_cli.servers.ports import choose_ports, comes_free

if TYPE_CHECKING:
    from carillon.runtime.lifecycle import Service

# In starting order: who keeps the accounts first, who lets messages in last. They stop in the reverse order.
SERVICES = ("accounts", "simulator", "receipt", "dispatcher", "contacts", "campaign-scheduler", "ingest")
FRONT = "ingest"  # with one process per service, this one listens on the public port and passes on the rest

DEFAULT_PORTS = {
    "accounts": 8081,
    "simulator": 8085,
    "receipt": 8084,
    "dispatcher": 8083,
    "ingest": 8082,
    "contacts": 8086,
    "campaign-scheduler": 8087,
    "simulator-smpp": 2776,
}
FIRST_PORT = 30_100


def load(name: str) -> "Service":
    """Build one service from the environment: its `build(settings)` names, by annotation, the settings it takes."""
    build = importlib.import_module(f"{package(name)}.main").build
    settings_class = get_type_hints(build)["settings"]
    service: Service = build(settings_class())
    return service


def package(name: str) -> str:
    """A service's package: its name with underscores."""
    return name.replace("-", "_")


def free_ports(home: Home) -> dict[str, int]:
    """Each service's port: last time's, else the usual one, else a private one; all are free now."""
    ports = running_ports(home)
    taken = [name for name, port in ports.items() if not comes_free(port)]
    ports.update(choose_ports(home.path, taken, FIRST_PORT))
    home.remember("services", ports)
    return ports


def running_ports(home: Home) -> dict[str, int]:
    """Each service's port as it was chosen last."""
    return {**DEFAULT_PORTS, **home.recall("services")}


def port_environment(ports: Mapping[str, int]) -> dict[str, str]:
    """What the services read: `CARILLON_<NAME>_PORT`."""
    return {variable(name): str(port) for name, port in ports.items()}


def variable(name: str) -> str:
    """The setting that holds a port."""
    return f"CARILLON_{package(name).upper()}_PORT"


def addresses_but(name: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Where all other services are, on this machine."""
    return {
        other: f"http://127.0.0.1:{environ.get(variable(other), DEFAULT_PORTS[other])}"
        for other in SERVICES
        if other != name
    }
