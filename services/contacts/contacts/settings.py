"""The environment of this service."""

from typing import Annotated

from pydantic import Field, SecretStr

from carillon.runtime.number_hash import MIN_KEY
from carillon.runtime.settings import CarillonSettings


class Settings(CarillonSettings):
    """`CARILLON_NUMBER_HASH_KEY` (or `_FILE`) is required, the same for dispatcher and ingest, and kept for ever.

    It is what suppressions are found by: with another one, nobody who said STOP would be recognised.
    `CARILLON_BOUNCES_TO_SUPPRESS`: so many messages that a number did not exist for, and it is suppressed.
    `CARILLON_UPLOAD_MAX_BYTES`: how large a file of contacts may be.
    """

    number_hash_key: Annotated[SecretStr, Field(min_length=MIN_KEY)]
    bounces_to_suppress: Annotated[int, Field(ge=1, le=100)] = 3
    upload_max_bytes: Annotated[int, Field(ge=1)] = 256 << 20
    contacts_port: int = 8086
