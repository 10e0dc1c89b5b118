"""The environment of this service."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from carillon.runtime.number_hash import MIN_KEY
from carillon.runtime.settings import CarillonSettings


class Settings(CarillonSettings):
    """`CARILLON_OPERATORS_FILE` is required: without operators there is nobody to send to.

    `CARILLON_NUMBER_HASH_KEY` (or `_FILE`) too, the same as contacts has: without it no STOP would be recognised.
    """

    operators_file: Path
    number_hash_key: Annotated[SecretStr, Field(min_length=MIN_KEY)]
    dispatcher_port: int = 8083
