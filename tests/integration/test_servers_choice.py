"""Where tests get their servers from."""

import time
from pathlib import Path

import pytest

from carillon_cli.servers import docker
from tests import containers


@pytest.fixture(autouse=True)
def nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CARILLON_AMQP_URL", "CARILLON_MONGO_URL", "CARILLON_TEST_SERVERS"):
        monkeypatch.delenv(name, raising=False)


def test_without_an_engine_it_is_known_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    began_s = time.process_time()
    assert not containers.wanted()
    assert time.process_time() - began_s < 1
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not docker.engine_answers()
    assert not containers.wanted()


def test_a_person_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARILLON_TEST_SERVERS", "local")
    assert not containers.wanted()
    monkeypatch.setenv("CARILLON_TEST_SERVERS", "containers")
    assert containers.wanted()
    monkeypatch.setenv("CARILLON_AMQP_URL", "amqp://given/")
    assert not containers.wanted()


def test_a_word_that_is_none_of_the_three_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARILLON_TEST_SERVERS", "docker")
    with pytest.raises(pytest.UsageError, match="containers, local or auto"):
        containers.wanted()


def test_images_that_nobody_has_mean_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    if not docker.engine_answers():
        pytest.skip("no Docker engine answers here")
    monkeypatch.setenv("RABBITMQ_IMAGE", "registry.invalid/rabbitmq:0")
    assert not containers.wanted()
