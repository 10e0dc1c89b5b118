"""Settings of the accounts service, from `CARILLON_...`."""

from pydantic import AliasChoices, Field

from carillon.runtime.settings import CarillonSettings


class AccountsSettings(CarillonSettings):
    """`CARILLON_ADMIN_TOKEN` (or `CARILLON_ADMIN_TOKEN_FILE`) opens the admin API; without it that API is shut."""

    port: int = Field(default=8081, validation_alias=AliasChoices("CARILLON_ACCOUNTS_PORT", "port"))
