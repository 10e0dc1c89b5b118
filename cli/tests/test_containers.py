"""What the one-shot containers of infra/docker-compose.yml do before and after the services."""

import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from carillon_cli.main import app
from carillon_cli.services import DEFAULT_PORTS, SERVICES, load


@pytest.fixture
def volumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CARILLON_ADMIN_TOKEN", "CARILLON_SIMULATOR_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    for name in ("services", "rabbitmq", "grafana"):
        (tmp_path / name).mkdir()
    return tmp_path


def make(volumes: Path) -> dict[str, str]:
    done = CliRunner().invoke(app, ["compose", "secrets", str(volumes)])
    assert done.exit_code == 0, done.output
    return {str(path.relative_to(volumes)): path.read_text() for path in volumes.rglob("*") if path.is_file()}


def test_secrets_are_made_once_and_are_different_everywhere(
    volumes: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = make(volumes)
    assert make(volumes) == first
    elsewhere = tmp_path_factory.mktemp("other")
    for name in ("services", "rabbitmq", "grafana"):
        (elsewhere / name).mkdir()
    second = make(elsewhere)
    assert first.keys() == second.keys()
    assert all(first[name] != second[name] for name in first)


def test_the_broker_and_the_services_are_told_the_same_password(volumes: Path) -> None:
    made = make(volumes)
    password = made["services/amqp_password"]
    assert f"default_pass = {password}\n" in made["rabbitmq/rabbitmq.conf"]
    assert made["services/amqp_url"] == f"amqp://carillon:{password}@rabbitmq:5672/"


def test_who_reads_a_secret(volumes: Path) -> None:
    make(volumes)
    for path in (volumes / "services").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    # another user in another container, which alone has this volume
    assert stat.S_IMODE((volumes / "rabbitmq/rabbitmq.conf").stat().st_mode) == 0o644


def test_given_secrets_win_and_an_smpp_password_is_short(volumes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(volumes)
    monkeypatch.setenv("CARILLON_ADMIN_TOKEN", "given")
    assert make(volumes)["services/admin_token"] == "given"
    monkeypatch.setenv("CARILLON_SIMULATOR_PASSWORD", "nine-long")
    refused = CliRunner().invoke(app, ["compose", "secrets", str(volumes)])
    assert refused.exit_code == 2


def test_images_know_the_port_of_every_service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CARILLON_OPERATORS_FILE", str(tmp_path / "operators.toml"))
    monkeypatch.setenv("CARILLON_NUMBER_HASH_KEY", "k" * 32)
    (tmp_path / "operators.toml").write_text(
        (Path(__file__).parents[2] / "infra/compose/operators.toml")
        .read_text()
        .replace('password_file = "/run/carillon/secrets/simulator_password"', 'password = "secret"')
    )
    assert {name: load(name).port for name in SERVICES} == {name: DEFAULT_PORTS[name] for name in SERVICES}
