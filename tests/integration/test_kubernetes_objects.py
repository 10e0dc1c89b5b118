"""The Kubernetes files by themselves: valid, restricted, walled in, and without a secret."""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from tests.integration.kubernetes_custom import SPECS
from tests.integration.kubernetes_rig import FOLDER, OVERLAYS, Object, Rendered, pod, pod_labels, render, selects, title

VERSIONS = ("1.30.0", kubernetes_validate.latest_version())
LABELS = {f"app.kubernetes.io/{name}" for name in ("name", "instance", "component", "part-of", "managed-by")}
# what the RabbitMQ operator and the MongoDB operator put on their pods
SERVERS = {
    5672: {"app.kubernetes.io/name": "carillon-rabbitmq"},
    27017: {"app": "carillon-mongodb-svc"},
}

WITHOUT = {"router": set(SERVERS), "simulator": set(SERVERS), "migrate": {5672}}


@pytest.fixture(params=OVERLAYS)
def rendered(request: pytest.FixtureRequest) -> Rendered:
    return render(request.param)


def test_no_base_is_remote() -> None:
    for file in FOLDER.rglob("kustomization.yaml"):
        kustomization = yaml.safe_load(file.read_text())
        for base in (*kustomization.get("bases", ()), *kustomization.get("resources", ())):
            assert (file.parent / base).exists(), f"{file} fetches {base}"


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid(rendered: Rendered, version: str) -> None:
    for found in rendered.objects:
        key = (found["apiVersion"], found["kind"])
        if key in SPECS:
            jsonschema.validate(found["spec"], SPECS[key])
            assert set(found) == {"apiVersion", "kind", "metadata", "spec"}
        else:
            kubernetes_validate.validate(found, version, strict=True)


def test_custom_resources_are_for_prod_alone() -> None:
    kinds = {overlay: {found["kind"] for found in render(overlay).objects} for overlay in OVERLAYS}
    custom = {kind for _, kind in SPECS}
    assert not kinds["dev"] & custom, "a trial needs no operator"
    assert custom <= kinds["prod"]


def test_what_custom_resources_put_into_pods_is_valid() -> None:
    prod = render("prod")
    overrides = {
        "RabbitmqCluster": prod.kind("RabbitmqCluster")["carillon-rabbitmq"]["spec"]["override"]["statefulSet"],
        "MongoDBCommunity": prod.kind("MongoDBCommunity")["carillon-mongodb"]["spec"]["statefulSet"],
    }
    for kind, override in overrides.items():
        assert_restricted(kind, override["spec"]["template"]["spec"], read_only=False)


def test_all_names_and_labels_are_there_and_once(rendered: Rendered) -> None:
    namespace = "carillon" if rendered.overlay == "prod" else "carillon-dev"
    seen: set[tuple[str, str]] = set()
    for found in rendered.objects:
        meta = found["metadata"]
        assert (found["kind"], meta["name"]) not in seen
        seen.add((found["kind"], meta["name"]))
        assert meta.get("namespace", namespace if found["kind"] == "Namespace" else None) == namespace, title(found)
        if found["kind"] != "ConfigMap":
            assert set(meta["labels"]) >= LABELS, title(found)
    for workload in rendered.workloads():
        assert set(pod_labels(workload)) >= LABELS, title(workload)


def test_the_namespace_admits_restricted_pods_only(rendered: Rendered) -> None:
    (namespace,) = rendered.kind("Namespace").values()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_every_pod_is_restricted(rendered: Rendered) -> None:
    for workload in rendered.workloads():
        spec = pod(workload)
        assert_restricted(title(workload), spec, read_only=True)
        assert spec["automountServiceAccountToken"] is False, title(workload)
        assert spec["serviceAccountName"] in rendered.kind("ServiceAccount")
        assert spec["enableServiceLinks"] is False, "else CARILLON_..._PORT may be a Service's address"


def assert_restricted(name: str, spec: Object, *, read_only: bool) -> None:
    """The Pod Security Standard `restricted`, and a root that nobody writes to."""
    context = spec["securityContext"]
    assert context["runAsNonRoot"] is True, name
    assert context["runAsUser"] > 0, name
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), name
    assert all({"name", "hostPath"} - set(volume) == {"hostPath"} for volume in spec.get("volumes", ())), name
    for container in (*spec.get("initContainers", ()), *spec["containers"]):
        inner = container["securityContext"]
        assert inner["allowPrivilegeEscalation"] is False, name
        assert inner["capabilities"] == {"drop": ["ALL"]}, name
        assert not read_only or inner["readOnlyRootFilesystem"] is True, name


def test_every_container_says_what_it_needs_and_which_image(rendered: Rendered) -> None:
    for workload in rendered.workloads():
        for container in pod(workload)["containers"]:
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), title(workload)
            assert {"cpu", "memory"} <= set(container["resources"]["limits"]), title(workload)
            _, colon, tag = container["image"].rpartition(":")
            assert colon, f"{container['image']} would be the latest"
            assert tag != "latest"


def test_pods_are_spread_and_leave_one_by_one(rendered: Rendered) -> None:
    budgets = [found["spec"] for found in rendered.kind("PodDisruptionBudget").values()]
    for name, deployment in rendered.kind("Deployment").items():
        labels = pod_labels(deployment)
        assert selects(deployment["spec"]["selector"], labels)
        held = [budget for budget in budgets if selects(budget["selector"], labels)]
        assert [budget["maxUnavailable"] for budget in held] == [1], name
        spread = pod(deployment)["topologySpreadConstraints"]
        assert {one["topologyKey"] for one in spread} == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
        assert all(selects(one["labelSelector"], labels) for one in spread), name
        assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0, name
        service = rendered.kind("Service")[name]["spec"]["selector"]
        assert selects({"matchLabels": service}, labels), name


def policies(rendered: Rendered, labels: dict[str, str]) -> Iterator[tuple[str, Object]]:
    for name, policy in rendered.kind("NetworkPolicy").items():
        if selects(policy["spec"]["podSelector"], labels):
            yield name, policy["spec"]


def test_nothing_is_let_through_by_default(rendered: Rendered) -> None:
    spec = rendered.kind("NetworkPolicy")["default-deny"]["spec"]
    assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name, policy in rendered.kind("NetworkPolicy").items():
        for rule in (*(policy["spec"].get("ingress") or ()), *(policy["spec"].get("egress") or ())):
            assert rule, f"{name} lets everything through"


def test_every_workload_has_a_policy_of_its_own(rendered: Rendered) -> None:
    used: set[str] = set()
    for workload in rendered.workloads():
        names = {name for name, _ in policies(rendered, pod_labels(workload))}
        assert workload["metadata"]["name"] in names
        assert "dns" in names
        used |= names
    operators = {"carillon-rabbitmq", "carillon-mongodb"} if rendered.overlay == "prod" else set()
    assert set(rendered.kind("NetworkPolicy")) == used | operators, "a policy selects no pod"


def allowed(rules: list[Object], side: str, labels: dict[str, str]) -> set[int]:
    """Ports to (or from) pods of the same namespace with these labels."""
    return {
        port["port"]
        for rule in rules
        for peer in rule.get(side, ())
        if "podSelector" in peer and "namespaceSelector" not in peer and selects(peer["podSelector"], labels)
        for port in rule.get("ports", ())
    }


def egress(rendered: Rendered, labels: dict[str, str], to: dict[str, str]) -> set[int]:
    return {port for _, spec in policies(rendered, labels) for port in allowed(spec.get("egress") or [], "to", to)}


def ingress(rendered: Rendered, labels: dict[str, str], source: dict[str, str]) -> set[int]:
    rules = [spec.get("ingress") or [] for _, spec in policies(rendered, labels)]
    return {port for rule in rules for port in allowed(rule, "from", source)}


def test_services_reach_their_servers_and_the_router_reaches_them(rendered: Rendered) -> None:
    deployments, running = rendered.kind("Deployment"), rendered.kind("StatefulSet")
    router = pod_labels(deployments["router"])
    for name, workload in {**deployments, **rendered.kind("Job")}.items():
        labels = pod_labels(workload)
        for port, server in SERVERS.items():
            expected = {port} - WITHOUT.get(name, set())
            assert egress(rendered, labels, server) == expected, f"{name} to {server}"
            for own in (pod_labels(one) for one in running.values()):
                if selects({"matchLabels": server}, own):
                    assert ingress(rendered, own, labels) >= expected, f"{name} at {server}"
        if name in deployments and name != "router":
            http = pod(workload)["containers"][0]["ports"][0]["containerPort"]
            assert http in ingress(rendered, labels, router), f"{name} from the router"
            assert http in egress(rendered, router, labels), f"the router to {name}"
            others = [pod_labels(other) for key, other in deployments.items() if key not in ("router", name)]
            strangers = {port for other in others for port in ingress(rendered, labels, other)}
            assert not strangers or name == "simulator", f"{name} is open to other services"


def test_only_who_has_to_leaves_the_cluster(rendered: Rendered) -> None:
    for name, deployment in rendered.kind("Deployment").items():
        peers = [
            peer["ipBlock"]
            for _, spec in policies(rendered, pod_labels(deployment))
            for rule in spec.get("egress") or ()
            for peer in rule.get("to", ())
            if "ipBlock" in peer
        ]
        assert bool(peers) == (name in ("dispatcher", "receipt")), name
        for block in peers:
            private = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"}
            assert private <= set(block["except"]) or (block["cidr"] == "::/0" and "fc00::/7" in block["except"])


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value


def test_secrets_are_named_and_never_there(rendered: Rendered) -> None:
    assert "Secret" not in {found["kind"] for found in rendered.objects}
    for found in rendered.objects:
        for text in strings(found):
            assert not re.search(r"://[^/\s@]*:[^/\s@]+@", text), f"{title(found)} holds a password in a URL"
            assert not re.search(r"^\s*(password|report_token)\s*=", text, re.MULTILINE), title(found)
    for config in rendered.kind("ConfigMap").values():
        names = [name for name in config["data"] if re.search("PASSWORD|TOKEN|SECRET|KEY|_URL", name)]
        assert all(name.endswith("_FILE") for name in names), config["metadata"]["name"]
