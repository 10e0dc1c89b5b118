"""The environment of this service."""

from typing import Annotated

from pydantic import AliasChoices, Field, SecretStr, field_validator

from carillon.http.addresses import Networks, parse_networks
from carillon.runtime.number_hash import MIN_KEY
from carillon.runtime.settings import CarillonSettings


class Settings(CarillonSettings):
    """`CARILLON_FRONT_TARGETS` (`receipt=http://127.0.0.1:8084,accounts=...`) makes this process the one front address.

    It then listens on `CARILLON_PORT` and forwards what is not its own. `CARILLON_INGEST_MAX_WAITING` bounds the
    messages that wait for the broker: beyond it, clients are told to come back (503). `CARILLON_INGEST_PROCESSES` is
    how many ingest processes there are: quotas a second are divided among them.
    `CARILLON_NUMBER_HASH_KEY` (or `_FILE`) is required, the same as contacts has: suppressed numbers are told by it.
    """

    number_hash_key: Annotated[SecretStr, Field(min_length=MIN_KEY)]
    ingest_port: int = 8082
    ingest_processes: int = Field(default=1, ge=1, le=1_000)
    ingest_max_waiting: int = Field(default=20_000, ge=1)
    front_port: int = Field(default=8080, validation_alias=AliasChoices("CARILLON_PORT", "front_port"))
    front_targets: str = ""
    publish_timeout_s: float = Field(default=15.0, gt=0)

    @property
    def proxies(self) -> Networks:
        """The proxies whose word on a client's address counts."""
        return parse_networks(self.trusted_proxies)

    @property
    def targets(self) -> dict[str, str]:
        """Base URLs of the other services by name, when this process is the front."""
        return _targets(self.front_targets)

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, value: str) -> str:
        parse_networks(value)
        return value

    @field_validator("front_targets")
    @classmethod
    def _check_targets(cls, value: str) -> str:
        for name, url in _targets(value).items():
            if not name or not url.startswith(("http://", "https://")):
                raise ValueError("names and URLs: receipt=http://127.0.0.1:8084,accounts=http://127.0.0.1:8081")
        return value


def _targets(listed: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in listed.split(",") if pair.strip()]
    return {name.strip(): url.strip() for name, _, url in pairs}
