"""The environment of this service."""

from carillon.runtime.settings import CarillonSettings


class Settings(CarillonSettings):
    """What every service needs, and a port."""

    contacts_port: int = 8086
