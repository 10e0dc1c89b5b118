"""The environment of this service."""

from pydantic import Field

from carillon.runtime.settings import CarillonSettings


class Settings(CarillonSettings):
    """`CARILLON_CALLBACK_ALLOW_PRIVATE` lets callbacks go to private addresses: for development only."""

    receipt_port: int = 8084
    callback_allow_private: bool = False
    message_retention_days: int = Field(default=400, ge=1)
