"""The environment of this service."""

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from carillon.runtime.settings import CarillonSettings


class Settings(CarillonSettings):
    """`CARILLON_CALLBACK_ALLOW_PRIVATE` lets callbacks go to private addresses: for development only.

    `CARILLON_STREAM_NUMBERS` says what the receipt stream shows of phone numbers: `off` (nothing), `hash` (a
    pseudonym made with `CARILLON_STREAM_NUMBERS_KEY`, 32 characters at least), or `clear`.
    """

    receipt_port: int = 8084
    callback_allow_private: bool = False
    message_retention_days: int = Field(default=400, ge=1)
    stream_numbers: Literal["off", "hash", "clear"] = "off"
    stream_numbers_key: SecretStr | None = Field(default=None, min_length=32)

    @model_validator(mode="after")
    def _hash_has_a_key(self) -> Self:
        if self.stream_numbers == "hash" and self.stream_numbers_key is None:
            raise ValueError("CARILLON_STREAM_NUMBERS=hash needs CARILLON_STREAM_NUMBERS_KEY")
        return self
