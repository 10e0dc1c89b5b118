"""infra/docker-compose.yml against the code, and, on request, for real.

`CARILLON_TEST_COMPOSE=1` starts all of it (1 GB, a minute or two) from images that `make images` built.
`RABBITMQ_IMAGE`, `MONGO_IMAGE` and `HAPROXY_IMAGE` name others than the file's.
"""

import importlib
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import yaml
from pydantic import AliasChoices

from carillon.runtime.settings import CarillonSettings
from carillon_cli.containers import RABBITMQ_CONF
from carillon_cli.servers import mongod, rabbitmq
from carillon_cli.services import DEFAULT_PORTS, SERVICES, package, variable

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
COMPOSE: dict[str, Any] = yaml.safe_load((INFRA / "docker-compose.yml").read_text(encoding="utf-8"))
CONTAINERS: dict[str, Any] = COMPOSE["services"]
DOCKERFILE = (INFRA / "docker/service.Dockerfile").read_text(encoding="utf-8")
ENV_FILE = dict(
    line.split("=", 1)
    for line in (INFRA / ".env").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
)
OURS = (*SERVICES, "secrets", "replica-set", "demo")


def settings_of(service: str) -> type[CarillonSettings]:
    build = importlib.import_module(f"{package(service)}.main").build
    found: type[CarillonSettings] = get_type_hints(build)["settings"]
    return found


def names_of(settings: type[CarillonSettings]) -> set[str]:
    """Every variable that these settings read; each may come from a file too."""
    names = set()
    for name, field in settings.model_fields.items():
        alias = field.validation_alias
        choices = [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else []
        names |= {f"CARILLON_{name}".upper(), *(choice for choice in choices if choice.isupper())}
    return names | {f"{name}_FILE" for name in names}


def test_every_service_has_a_container_and_nothing_else_is_ours() -> None:
    built = {name for name, container in CONTAINERS.items() if "build" in container}
    assert built == set(OURS)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_built_and_told_what_it_reads(service: str) -> None:
    container = CONTAINERS[service]
    assert container["build"]["args"]["SERVICE"] == service
    assert (ROOT / "services" / service / "pyproject.toml").exists()
    assert container["image"] == f"${{CARILLON_IMAGE:-carillon}}/{service}:${{CARILLON_TAG:-latest}}"
    assert set(container["environment"]) <= names_of(settings_of(service))
    required = {
        f"CARILLON_{name}".upper() for name, field in settings_of(service).model_fields.items() if field.is_required()
    }
    assert required <= set(container["environment"])


@pytest.mark.parametrize("service", SERVICES)
def test_the_router_and_the_probe_know_its_port(service: str) -> None:
    """The image's probe reads the table's port, or the setting of this name; the settings have the same default."""
    setting = f"{package(service)}_port"
    assert variable(service) == f"CARILLON_{setting.upper()}"
    assert settings_of(service).model_fields[setting].default == DEFAULT_PORTS[service]
    assert variable(service) not in CONTAINERS[service]["environment"]  # the router's file has the table's port


@pytest.mark.parametrize("name", OURS)
def test_ours_run_with_nothing_that_they_do_not_need(name: str) -> None:
    container = CONTAINERS[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in container["security_opt"]
    assert "ports" not in container
    assert "privileged" not in container


@pytest.mark.parametrize("service", SERVICES)
def test_services_wait_for_broker_and_database_come_back_and_end_in_order(service: str) -> None:
    container = CONTAINERS[service]
    assert container["restart"] == "unless-stopped"
    assert container["healthcheck"]["test"] == ["CMD", "probe", "/readyz"]
    waits = {name: wait["condition"] for name, wait in container["depends_on"].items()}
    assert waits == {"rabbitmq": "service_healthy", "replica-set": "service_completed_successfully"}
    assert float(container["stop_grace_period"].rstrip("s")) > CarillonSettings.model_fields["grace_s"].default


def test_only_the_router_and_the_dashboards_are_reached_and_only_from_this_machine() -> None:
    published = {name: container["ports"] for name, container in CONTAINERS.items() if "ports" in container}
    assert set(published) == {"router", "prometheus", "grafana"}
    assert all(port.startswith("${CARILLON_BIND:-127.0.0.1}:") for ports in published.values() for port in ports)
    assert COMPOSE["networks"]["data"]["internal"] is True
    assert all(CONTAINERS[name]["networks"] == ["data"] for name in ("rabbitmq", "mongo"))


def test_no_password_is_written_down() -> None:
    for container in CONTAINERS.values():
        for name, value in (container.get("environment") or {}).items():
            if re.search("PASSWORD|TOKEN|AMQP_URL", name):
                assert value is None or str(value).startswith("/run/carillon/secrets/"), name
    assert not [name for name in ENV_FILE if re.search("PASSWORD|TOKEN|SECRET", name)]
    assert "{password}" in RABBITMQ_CONF


def test_variables_have_the_defaults_that_the_env_file_tells() -> None:
    text = (INFRA / "docker-compose.yml").read_text(encoding="utf-8")
    defaults = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", text))
    assert {name: ENV_FILE[name] for name in defaults if name in ENV_FILE} == {
        name: value for name, value in defaults.items() if name in ENV_FILE
    }
    assert set(ENV_FILE) - set(defaults) == {"COMPOSE_PROJECT_NAME"}
    assert {name for name in defaults if name.endswith("_IMAGE")} <= set(ENV_FILE)
    assert ENV_FILE["RABBITMQ_IMAGE"] == rabbitmq.IMAGE
    assert ENV_FILE["MONGO_IMAGE"] == mongod.IMAGE
    assert f"ARG BASE_IMAGE={ENV_FILE['BASE_IMAGE']}\n" in DOCKERFILE


def test_what_is_mounted_is_there() -> None:
    mounted = [volume for container in CONTAINERS.values() for volume in container.get("volumes", [])]
    for volume in mounted:
        source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume).split(":")[0]
        if source.startswith("./"):
            # the rest belongs to the profile `observability`
            assert (INFRA / source).exists() or source.split("/")[1] in ("otel", "prometheus", "grafana"), source
        else:
            assert source in COMPOSE["volumes"]


def test_the_trial_s_operator_is_the_simulator() -> None:
    """Its address, its name and where its password lies."""
    file = tomllib.loads((INFRA / "compose/operators.toml").read_text(encoding="utf-8"))
    (operator,) = file["operators"]
    assert (operator["host"], operator["port"]) == ("simulator", DEFAULT_PORTS["simulator-smpp"])
    assert operator["system_id"] == settings_of("simulator").model_fields["simulator_system_id"].default
    assert operator["password_file"] == CONTAINERS["simulator"]["environment"]["CARILLON_SIMULATOR_PASSWORD_FILE"]
    assert CONTAINERS["simulator"]["environment"]["CARILLON_SIMULATOR_SMPP_HOST"] == "0.0.0.0"


def test_the_image_is_nobody_s_and_probes_itself() -> None:
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert "\nUSER 10001:10001\n" in final
    assert 'ENTRYPOINT ["tini", "--"]' in final
    assert 'CMD ["probe", "/livez"]' in final
    assert "--require-hashes" in DOCKERFILE
    assert "RUN" not in final  # what is built is copied: nothing is left over


SOURCES = [path for path in (ROOT / "services").glob("*/*/**/*.py") if "tests" not in path.parts]


def _build_arguments(service: str) -> dict[str, str]:
    arguments: dict[str, str] = COMPOSE["services"][service]["build"]["args"]
    return arguments


def test_no_service_needs_what_its_image_leaves_out() -> None:
    """What reads or writes Parquet is in images that have pyarrow; phonenumbers' maps that are dropped are nobody's."""
    found = re.search(r"^ARG LEAVE_OUT=(.*)$", DOCKERFILE, re.MULTILINE)
    assert found
    whole = {name for name in SERVICES if _build_arguments(name).get("LEAVE_OUT") == ""}
    dropped = re.findall(r"phonenumbers/(\w+)data", DOCKERFILE)
    assert dropped == ["geo", "carrier"]
    left_out = [*found[1].split(), "carillon.receipts", "phonenumbers.geodata", "phonenumbers.carrierdata"]
    left_out += ["phonenumbers.geocoder", "phonenumbers.carrier"]
    for library in left_out:
        using = re.compile(rf"^\s*(import|from) {re.escape(library)}\b", re.MULTILINE)
        users = {path.parts[len(ROOT.parts) + 1] for path in SOURCES if using.search(path.read_text(encoding="utf-8"))}
        assert users <= whole, library


# --- for real ---------------------------------------------------------------------------------------------------------


class Platform:
    """A project of its own on a port of its own."""

    def __init__(self, program: list[str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._program = [*program, "--project-name", f"carillon-test-{secrets.token_hex(3)}"]
        self._env = {**os.environ, "CARILLON_PORT": str(self.port), "CARILLON_PUBLIC_URL": self.url}

    def compose(self, *words: str) -> str:
        done = subprocess.run(
            [*self._program, *words], cwd=INFRA, env=self._env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def container(self, service: str) -> str:
        return self.compose("ps", "--all", "--quiet", service).strip()

    def demo(self) -> dict[str, str]:
        """The demo account, once its container has made it."""
        ended = subprocess.run(["docker", "wait", self.container("demo")], capture_output=True, text=True, check=True)
        assert ended.stdout.strip() == "0", self.compose("logs", "--tail", "30")
        text = self.compose("run", "--rm", "-T", "--no-deps", "demo", "cat", "/run/carillon/demo/demo.env")
        return {
            name: value.strip("'") for name, value in (line.split("=", 1) for line in text.splitlines() if "=" in line)
        }


def ask(url: str, key: str = "") -> tuple[int, str]:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"} if key else {})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def compose_program() -> list[str] | None:
    if os.environ.get("CARILLON_TEST_COMPOSE") != "1":
        return None
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0:
        return ["docker", "compose"]
    return [found] if (found := shutil.which("docker-compose")) else None


@pytest.fixture
def platform() -> Iterator[Platform]:
    program = compose_program()
    if program is None:
        pytest.skip("CARILLON_TEST_COMPOSE=1, docker compose and the images of `make images` make this run")
    platform = Platform(program)
    try:
        platform.compose("up", "--detach", "--no-build")
        yield platform
    finally:
        platform.compose("down", "--volumes")


@pytest.mark.integration
@pytest.mark.timeout(600)
def test_the_first_message_and_a_crash_in_containers(platform: Platform) -> None:
    demo = platform.demo()
    assert demo["CARILLON_URL"] == platform.url
    assert ask(f"{platform.url}/readyz")[0] == 200
    push = f"{platform.url}/eXt/{demo['CARILLON_DOOR']}.asp?login={demo['CARILLON_LOGIN']}"
    push += f"&password={demo['CARILLON_PASSWORD']}&number=33612345678&content=Hello"

    def state_of(message: str) -> str:
        status, said = ask(f"{platform.url}/v1/messages/{message}", demo["CARILLON_API_KEY"])
        return str(json.loads(said)["status"]) if status == 200 else said

    def send_and_see_it_delivered() -> None:
        began_s = time.monotonic()
        status, said = ask(push)
        assert status == 200
        (message,) = re.findall(r"\d{15,}", said)
        while message not in ask(f"{platform.url}/simulator/callbacks.json")[1] or state_of(message) != "delivered":
            assert time.monotonic() < began_s + 60, state_of(message)
            time.sleep(0.1)

    send_and_see_it_delivered()
    # all that runs in there dies at once, as when memory runs out; the message finds it on its way back
    dispatcher = platform.container("dispatcher")
    subprocess.run(["docker", "exec", dispatcher, "sh", "-c", "kill -9 -1"], capture_output=True, check=False)
    send_and_see_it_delivered()
    restarts = subprocess.run(
        ["docker", "inspect", "--format", "{{.RestartCount}}", dispatcher], capture_output=True, text=True, check=True
    )
    assert restarts.stdout.strip() == "1"
