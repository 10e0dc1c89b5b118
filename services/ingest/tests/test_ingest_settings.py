"""What ingest reads of its environment."""

import pytest
from pydantic import ValidationError

from ingest.settings import Settings


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARILLON_NUMBER_HASH_KEY", "k" * 32)


def test_front_targets_and_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARILLON_FRONT_TARGETS", "receipt=http://127.0.0.1:8084, accounts = http://127.0.0.1:8081,")
    monkeypatch.setenv("CARILLON_TRUSTED_PROXIES", "10.0.0.0/8, ::1")
    monkeypatch.setenv("CARILLON_PORT", "9000")
    settings = Settings()  # type: ignore[call-arg]
    assert settings.targets == {"receipt": "http://127.0.0.1:8084", "accounts": "http://127.0.0.1:8081"}
    assert [str(network) for network in settings.proxies] == ["10.0.0.0/8", "::1/128"]
    assert (settings.front_port, settings.ingest_port) == (9000, 8082)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CARILLON_TRUSTED_PROXIES", "not a network"),
        ("CARILLON_FRONT_TARGETS", "receipt"),
        ("CARILLON_FRONT_TARGETS", "receipt=127.0.0.1:8084"),
        ("CARILLON_INGEST_MAX_WAITING", "0"),
        ("CARILLON_NUMBER_HASH_KEY", "too short"),
    ],
)
def test_what_cannot_work_stops_the_start(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        Settings()  # type: ignore[call-arg]
