"""The environment of this service."""

from pydantic import Field

from carillon.runtime.settings import CarillonSettings


class Settings(CarillonSettings):
    """`CARILLON_STOP_MENTION` is put after marketing texts that do not speak of STOP themselves."""

    campaign_scheduler_port: int = 8087
    stop_mention: str = Field(default="STOP au 36111", min_length=4, max_length=60)
