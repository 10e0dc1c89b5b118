"""What an account sees of itself, with its own API key.

The key is looked up in the database and not in a copy, so what is shown is what was written last. Whatever is shown
comes from the one document of the account that has the key: no query here could reach another.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from accounts.domain.account import Account
from accounts.store import AccountStore
from accounts.views import AccountView, ApiKeyView, DoorView
from carillon.events.account import AccountChanged, ApiKey
from carillon.http.api_keys import hash_api_key
from carillon.http.pagination import Page
from carillon.http.principal import authenticate
from carillon.runtime.clock import Clock

SCOPE = "account"

_bearer = HTTPBearer(scheme_name="apiKey", auto_error=False)


class _Found:
    """What the database answered for one key, as `authenticate` wants it."""

    def __init__(self, account: Account | None) -> None:
        self._said = account.as_event() if account else None

    def by_api_key_hash(self, hash_: str, /) -> tuple[AccountChanged, ApiKey] | None:
        if self._said is None:
            return None
        return next(((self._said, key) for key in self._said.api_keys if key.hash == hash_), None)


def account_of_key(store: AccountStore, clock: Clock) -> Callable[..., Awaitable[Account]]:
    """A FastAPI dependency: the account whose key the request carries, if that key may see it."""

    async def account(credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]) -> Account:
        key = credentials.credentials if credentials else None
        found = await store.find_by_key_hash(hash_api_key(key)) if key else None
        authenticate(_Found(found), key, SCOPE, clock.now_ms())
        assert found is not None
        return found

    return account


def routes(store: AccountStore, clock: Clock) -> APIRouter:
    """The account's own paths under /v1."""
    router = APIRouter(prefix="/v1", tags=["account"])
    own = Depends(account_of_key(store, clock))

    @router.get("/account")
    async def read_account(account: Annotated[Account, own]) -> AccountView:
        """The account itself."""
        return AccountView.of(account)

    @router.get("/doors")
    async def list_doors(account: Annotated[Account, own]) -> Page[DoorView]:
        """Its legacy push doors, oldest first."""
        return Page(items=[DoorView.of(door) for door in account.doors])

    @router.get("/api-keys")
    async def list_api_keys(account: Annotated[Account, own]) -> Page[ApiKeyView]:
        """Its API keys, oldest first."""
        return Page(items=[ApiKeyView.of(key) for key in account.api_keys])

    return router
