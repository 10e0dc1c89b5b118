"""The Kubernetes files against the code: every service, setting, port, path and queue is there, and nothing else is."""

import importlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints

import httpx
import pytest
from tests.integration.kubernetes_rig import OVERLAYS, ROOT, Object, Rendered, pod, render

from carillon.bus.topology import DURABLE_QUEUES, Queue, dispatcher_submit
from carillon.events.base import LANES
from carillon.http.app import create_app
from carillon.http.paths import RULES, allowed_methods, service_of
from carillon.http.problem import Problem, not_found
from carillon.runtime.settings import CarillonSettings
from carillon_cli.kubernetes import FOLDER, ROUTERS, TRIALS_ONLY, allow_map, paths_map
from carillon_cli.services import DEFAULT_PORTS, SERVICES, package
from dispatcher.domain.operators import parse

NOT_SCALED_ON = {
    "accounts.copies": "a few requests an hour; accounts scales on its CPU",
    "accounts.holds": "a few a day; accounts scales on its CPU",
    "accounts.price_copies": "the same",
    "accounts.leases": "a request a minute for each account and process",
    "accounts.charges": "one process consumes it at a time",
}
PREPARATION_S = 10  # of a pod's end: connections closed, spans sent


@pytest.fixture(params=OVERLAYS)
def rendered(request: pytest.FixtureRequest) -> Rendered:
    return render(request.param)


def services_of(rendered: Rendered) -> tuple[str, ...]:
    return tuple(name for name in SERVICES if rendered.overlay == "dev" or name not in TRIALS_ONLY)


def settings_of(service: str) -> type[CarillonSettings]:
    build = importlib.import_module(f"{package(service)}.main").build
    found: type[CarillonSettings] = get_type_hints(build)["settings"]
    return found


def service_deployments(rendered: Rendered) -> Iterator[tuple[str, Object]]:
    for name in services_of(rendered):
        yield name, rendered.kind("Deployment")[name]


def test_every_service_is_deployed_and_nothing_else(rendered: Rendered) -> None:
    pods = {*services_of(rendered), "router"}
    assert set(rendered.kind("Deployment")) == pods
    assert set(rendered.kind("PodDisruptionBudget")) >= pods
    assert set(rendered.kind("ServiceAccount")) >= {*pods, "migrate"}
    assert set(rendered.kind("ConfigMap")) == {*pods, "carillon", "operators"}
    servers = {"carillon-rabbitmq", "carillon-mongodb"} if rendered.overlay == "dev" else set()
    assert set(rendered.kind("Service")) == pods | servers
    assert set(rendered.kind("Job")) == {"migrate"}


def test_each_service_runs_its_own_image_of_this_version(rendered: Rendered) -> None:
    for name, deployment in service_deployments(rendered):
        about = tomllib.loads((ROOT / "services" / name / "pyproject.toml").read_text())
        assert pod(deployment)["containers"][0]["image"] == f"carillon/{name}:{about['project']['version']}"


def test_ports_are_the_codes(rendered: Rendered) -> None:
    for name, deployment in service_deployments(rendered):
        ports = {port["name"]: port["containerPort"] for port in pod(deployment)["containers"][0]["ports"]}
        assert ports["http"] == DEFAULT_PORTS[name], name
        assert set(ports) == ({"http", "smpp"} if name == "simulator" else {"http"})
        service = {port["name"]: port["port"] for port in rendered.kind("Service")[name]["spec"]["ports"]}
        assert service == ports, name


async def test_probes_ask_what_every_service_answers(rendered: Rendered) -> None:
    app = httpx.ASGITransport(app=create_app("Carillon any", routers=[]))
    for name, deployment in service_deployments(rendered):
        (container,) = pod(deployment)["containers"]
        asked = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
        assert {kind: probe["path"] for kind, probe in asked.items()} == {
            "startup": "/livez",
            "liveness": "/livez",  # never /readyz: a broker that is away must not restart every pod
            "readiness": "/readyz",
        }, name
        assert {probe["port"] for probe in asked.values()} == {"http"}
        async with httpx.AsyncClient(transport=app, base_url="http://any") as client:
            assert {(await client.get(probe["path"])).status_code for probe in asked.values()} == {200}


def test_every_setting_is_one_that_the_service_reads(rendered: Rendered) -> None:
    for name, deployment in service_deployments(rendered):
        known = variables(settings_of(name))
        unknown = set(rendered.environment(deployment)) - known
        assert not unknown, f"{name} reads no {unknown}"
    (entry,) = pod(rendered.kind("Job")["migrate"])["containers"][0]["env"]
    assert entry["name"] in variables(CarillonSettings)
    assert set(entry["valueFrom"]) == {"secretKeyRef"}


def variables(settings: type[CarillonSettings]) -> set[str]:
    """Variables that a settings class reads: each field's and, for what is kept in a file, the field's with _FILE."""
    fields = {f"CARILLON_{field.upper()}" for field in settings.model_fields}
    return fields | {f"{variable}_FILE" for variable in fields if not variable.endswith("_FILE")} | {"CARILLON_PORT"}


def test_the_settings_are_complete_and_as_the_pod_is_made(
    rendered: Rendered, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each service's settings are built from what its pod is given: variables, and files from volumes."""
    for name, deployment in service_deployments(rendered):
        files = rendered.files(deployment)
        with monkeypatch.context() as patch:
            for variable, value in rendered.environment(deployment).items():
                if variable.endswith("_FILE"):
                    assert value in files, f"{name}: nothing is mounted at {variable}={value}"
                    copy = tmp_path / variable
                    copy.write_text(files[value])
                    patch.setenv(variable, str(copy))
                else:
                    patch.setenv(variable, value)
            settings = settings_of(name)()
        assert settings.host == "0.0.0.0", f"{name} would listen to its own pod only"
        assert getattr(settings, f"{package(name)}_port") == DEFAULT_PORTS[name]
        assert settings.log_format == "json"
        if name != "simulator":
            assert settings.amqp_url == "a secret of ours:carillon-rabbitmq-default-user/connection_string"
            assert settings.mongo_url == "a secret of ours:carillon-mongodb-admin-carillon/connectionString.standard"
        if name == "accounts":
            assert settings.admin_token, "without a token the admin API is shut"
        grace_s, ends_s = settings.grace_s, pod(deployment)["terminationGracePeriodSeconds"]
        sleep_s = int(pod(deployment)["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][-1])
        # requests under way get one grace, then what the operators still owe gets another
        assert ends_s >= sleep_s + 2 * grace_s + PREPARATION_S, f"{name} would be killed while it ends"


def test_operators_are_read_and_fit_what_is_around_them(rendered: Rendered) -> None:
    deployment = rendered.kind("Deployment")["dispatcher"]
    environment = rendered.environment(deployment)
    file = parse(rendered.files(deployment)[environment["CARILLON_OPERATORS_FILE"]])
    mounts = {mount["name"]: mount for mount in pod(deployment)["containers"][0]["volumeMounts"]}
    assert "subPath" not in mounts["operators"], "a change would never reach the pod"
    assert "operators" in {found["metadata"]["name"] for found in rendered.kind("ConfigMap").values()}, (
        "with a hash in its name every change would restart the dispatcher"
    )
    for operator in file.operators:
        assert operator.password is None, "a password is in the ConfigMap"
        assert operator.password_file == f"{mounts['operator-passwords']['mountPath']}/{operator.name}"
        assert float(environment["CARILLON_GRACE_S"]) > operator.answer_timeout_s, "the window must be settled"
        if rendered.overlay == "dev":
            ports = {port["name"]: port["port"] for port in rendered.kind("Service")[operator.host]["spec"]["ports"]}
            assert operator.port == ports["smpp"] == DEFAULT_PORTS["simulator-smpp"]


def test_the_routers_tables_are_fresh() -> None:
    for folder, services in ROUTERS.items():
        for name, expected in (("paths.map", paths_map(services)), ("allow.map", allow_map(services))):
            written = (FOLDER / folder / name).read_text()
            assert written == expected, f"{folder}/{name} is stale: python -m carillon_cli.kubernetes"


def test_the_router_sends_each_request_where_the_path_table_says(rendered: Rendered) -> None:
    files = rendered.files(rendered.kind("Deployment")["router"])
    tables = [
        [line.split(" ", 1) for line in files[f"/etc/carillon/router/{name}.map"].splitlines()]
        for name in ("paths", "allow")
    ]

    def first(table: list[list[str]], text: str) -> str | None:
        return next((value for pattern, value in table if re.search(pattern, text)), None)

    there = services_of(rendered)
    for rule in RULES:
        for path in (rule.path, f"{rule.path}/", f"{rule.path}/x.asp", f"{rule.path}x", f"{rule.path.title()}/a"):
            for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
                wanted = service_of(method, path)
                found = first(tables[0], f"{method}:{path}")
                if path != "/Ext":  # the table knows no legacy door without a name; ingest says so itself
                    assert found == (wanted if wanted in there else None), (method, path)
                if found is None and rule.service in there:
                    assert first(tables[1], path) == (", ".join(sorted(allowed_methods(path))) or None), path


def test_the_router_knows_every_service_and_answers_as_they_do(rendered: Rendered) -> None:
    files = rendered.files(rendered.kind("Deployment")["router"])
    config = "\n".join(content for name, content in files.items() if name.endswith(".cfg"))
    backends = re.findall(r"^backend (\S+)\n    server (\S+) (\S+):(\d+)$", config, re.MULTILINE)
    assert {name: (host, int(port)) for name, _, host, port in backends} == {
        name: (name, DEFAULT_PORTS[name]) for name in services_of(rendered)
    }
    for problem in (Problem(405, "method_not_allowed"), not_found("There is nothing at this path.")):
        assert f"string '{problem.body().decode()}'" in config
    (container,) = pod(rendered.kind("Deployment")["router"])["containers"]
    assert {"name": "http", "containerPort": 8080} in container["ports"]
    assert "bind :8080" in config
    assert container["command"][-1] == "/etc/carillon/router"  # the folder that the maps are named by


def test_scaling_looks_at_every_queue_and_at_no_other() -> None:
    prod = render("prod")
    scaled = prod.kind("ScaledObject")
    assert {found["spec"]["scaleTargetRef"]["name"] for found in scaled.values()} == set(prod.kind("Deployment"))
    durable = [*DURABLE_QUEUES, *(dispatcher_submit("north-2", lane) for lane in LANES)]
    for name in services_of(prod):
        own = [queue for queue in durable if queue.name.startswith(f"{name}.") and queue.name not in NOT_SCALED_ON]
        patterns = [
            trigger["metadata"]["queueName"]
            for trigger in scaled[name]["spec"]["triggers"]
            if trigger["type"] == "rabbitmq"
        ]
        for queue in own:
            assert any(re.search(pattern, queue.name) for pattern in patterns), f"{name} does not scale on {queue.name}"
        for pattern in patterns:
            hit = [queue.name for queue in durable if re.search(pattern, queue.name)]
            assert hit or not own, f"{name} scales on {pattern}, which is no queue"
            assert all(queue.startswith(f"{name}.") for queue in hit), f"{name} scales on others' queues: {hit}"
            assert not [other for queue in durable for other in asides(queue) if re.search(pattern, other)]


def asides(queue: Queue) -> tuple[str, ...]:
    """Queues beside this one whose depth tells nothing: waiting, resting, or one process's own."""
    service = queue.name.partition(".")[0]
    return queue.retry, queue.parked, f"{service}.accounts.prc_0123456789"


def test_what_is_not_scaled_on_is_still_a_queue() -> None:
    assert set(NOT_SCALED_ON) <= {queue.name for queue in DURABLE_QUEUES}


def test_scaling_counts_what_is_delivered_too() -> None:
    prod = render("prod")
    for name, found in prod.kind("ScaledObject").items():
        assert "replicas" not in prod.kind("Deployment")[name]["spec"], f"each apply would reset {name}"
        assert 2 <= found["spec"]["minReplicaCount"] < found["spec"]["maxReplicaCount"]
        for trigger in found["spec"]["triggers"]:
            if trigger["type"] == "rabbitmq":
                assert trigger["metadata"]["protocol"] == "http"
                assert trigger["metadata"]["excludeUnacknowledged"] == "false"
                assert trigger["authenticationRef"]["name"] in prod.kind("TriggerAuthentication")
                host = f"http://carillon-rabbitmq.{found['metadata']['namespace']}.svc:15672/"
                assert trigger["metadata"]["host"] == host
    for name in ("contacts", "campaign-scheduler", "dispatcher", "receipt"):
        assert "rabbitmq" in {trigger["type"] for trigger in prod.kind("ScaledObject")[name]["spec"]["triggers"]}
    assert [trigger["type"] for trigger in prod.kind("ScaledObject")["ingest"]["spec"]["triggers"]] == ["cpu"]
