"""The environment of this service."""

from pathlib import Path

from carillon.runtime.settings import CarillonSettings


class Settings(CarillonSettings):
    """`CARILLON_OPERATORS_FILE` is required: without operators there is nobody to send to."""

    operators_file: Path
    dispatcher_port: int = 8083
