"""What kustomize makes of an overlay, and short questions about it."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "infra" / "k8s"
OVERLAYS = ("dev", "prod")
Object = dict[str, Any]
HASH = re.compile(r"-[2456789bcdfghkmt]{10}$")  # kustomize: hexadecimal without what could spell a word


@cache
def render(overlay: str) -> "Rendered":
    """The overlay's objects. Skips the test where there is no kubectl."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("no kubectl: `carillon prepare` installs Debian's kubernetes-client where it may")
    done = subprocess.run(
        [kubectl, "kustomize", str(FOLDER / "overlays" / overlay)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return Rendered(overlay, tuple(found for found in yaml.safe_load_all(done.stdout) if found))


@dataclass(frozen=True)
class Rendered:
    """All objects of one overlay."""

    overlay: str
    objects: tuple[Object, ...]

    def kind(self, kind: str) -> dict[str, Object]:
        """Objects of a kind by name; a ConfigMap's name without the hash of its content."""
        return {_plain(found): found for found in self.objects if found["kind"] == kind}

    def workloads(self) -> Iterator[Object]:
        """Everything that makes pods, except by custom resources."""
        return (found for found in self.objects if found["kind"] in ("Deployment", "StatefulSet", "Job"))

    def config(self, reference: str) -> dict[str, str]:
        """The data of a ConfigMap as a pod names it, hash included."""
        for found in self.objects:
            if found["kind"] == "ConfigMap" and found["metadata"]["name"] == reference:
                data: dict[str, str] = found["data"]
                return data
        raise AssertionError(f"{self.overlay}: no ConfigMap {reference}")

    def environment(self, workload: Object) -> dict[str, str]:
        """What a workload's container reads, later sources first in rank; secret values are not in it."""
        (container,) = pod(workload)["containers"]
        read: dict[str, str] = {}
        for source in container.get("envFrom", ()):
            read.update(self.config(source["configMapRef"]["name"]))
        read.update({entry["name"]: entry["value"] for entry in container.get("env", ()) if "value" in entry})
        return read

    def files(self, workload: Object) -> dict[str, str]:
        """Every file that volumes put into the container: its content, or `a secret of ours:<name>/<key>`, by path."""
        volumes = {volume["name"]: volume for volume in pod(workload)["volumes"]}
        (container,) = pod(workload)["containers"]
        found: dict[str, str] = {}
        for mount in container["volumeMounts"]:
            for name, content in self._volume(volumes.get(mount["name"], {})).items():
                found[f"{mount['mountPath']}/{name}"] = content
        return found

    def _volume(self, volume: Object) -> dict[str, str]:
        if "configMap" in volume:
            return self.config(volume["configMap"]["name"])
        sources = [part["secret"] for part in volume.get("projected", {}).get("sources", ())]
        if "secret" in volume:
            sources.append(volume["secret"])
        return {
            item["path"]: f"a secret of ours:{source.get('name') or source['secretName']}/{item['key']}"
            for source in sources
            for item in source.get("items", ())
        }


def pod(workload: Object) -> Object:
    """A workload's pod."""
    spec: Object = workload["spec"]["template"]["spec"]
    return spec


def pod_labels(workload: Object) -> dict[str, str]:
    """The labels of a workload's pods."""
    labels: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return labels


def title(found: Object) -> str:
    """How a failing test names an object."""
    return f"{found['kind']} {found['metadata']['name']}"


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a label selector takes pods with these labels."""
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        labels.get(wanted["key"]) in wanted["values"] for wanted in selector.get("matchExpressions", ())
    )


def _plain(found: Object) -> str:
    name: str = found["metadata"]["name"]
    return HASH.sub("", name) if found["kind"] == "ConfigMap" else name
