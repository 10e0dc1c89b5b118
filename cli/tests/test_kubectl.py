"""kubectl is installed for the tests where that is possible, and never in the way of anything else."""

from pathlib import Path

import pytest

from carillon_cli.servers import Home, kubectl, packages


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.make()
    return made


def put(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for the whole PATH, with what an installation uses, and as if we were root."""
    folder = tmp_path / "bin"
    for name in ("env", "tee", "rm", "chmod", "sh"):
        put(folder, name, f'PATH=/bin:/usr/bin exec {name} "$@"' if name != "env" else 'shift; exec "$@"')
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(packages, "POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr(packages, "root_prefix", list)
    return folder


def test_it_is_installed_where_it_is_missing(home: Home, programs: Path) -> None:
    put(programs, "apt-get", f'echo "$@" >> {home.path}/seen')
    said: list[str] = []
    kubectl.install(home, said.append)
    assert "install -y --no-install-recommends kubernetes-client" in (home.path / "seen").read_text()
    assert len(said) == 1


def test_it_is_left_alone_where_it_is(home: Home, programs: Path) -> None:
    put(programs, "apt-get", f'echo "$@" >> {home.path}/seen')
    put(programs, "kubectl", "exit 0")
    kubectl.install(home, pytest.fail)
    assert not (home.path / "seen").exists()


def test_a_system_that_has_none_goes_without(home: Home, programs: Path) -> None:
    put(programs, "apt-get", "exit 100")
    said: list[str] = []
    kubectl.install(home, said.append)
    assert "tests of infra/k8s are skipped" in said[-1]
    (programs / "apt-get").unlink()
    kubectl.install(home, pytest.fail)
