"""The environment of this service."""

from carillon.runtime.settings import CarillonSettings


class Settings(CarillonSettings):
    """`CARILLON_ADMIN_TOKEN` (or `CARILLON_ADMIN_TOKEN_FILE`) opens the admin API; without it that API is shut."""

    accounts_port: int = 8081
