"""Settings: the environment, and secrets from files."""

from pathlib import Path

import pytest

from carillon.runtime.settings import CarillonSettings


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARILLON_AMQP_URL", "amqp://elsewhere/")
    assert CarillonSettings().amqp_url == "amqp://elsewhere/"


def test_secret_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    monkeypatch.delenv("CARILLON_ADMIN_TOKEN", raising=False)
    monkeypatch.setenv("CARILLON_ADMIN_TOKEN_FILE", str(tmp_path / "token"))
    settings = CarillonSettings()
    assert settings.admin_token is not None
    assert settings.admin_token.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(settings)
