"""Who makes a request of the JSON API, and whether they may: bearer API keys, and the platform's own token."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Protocol

from fastapi import Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from carillon.events.account import AccountChanged, ApiKey
from carillon.http.api_keys import PREFIX, hash_api_key
from carillon.http.problem import Problem
from carillon.runtime.clock import Clock, SystemClock

_REALM = 'Bearer realm="carillon"'

_api_key = HTTPBearer(scheme_name="apiKey", description=f"API key, {PREFIX}...", auto_error=False)
_platform_token = HTTPBearer(scheme_name="platformToken", description="The platform's own token", auto_error=False)
Credentials = HTTPAuthorizationCredentials | None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: every query that serves them names `account`."""

    account: AccountChanged
    scopes: frozenset[str]
    key_id: str

    @property
    def account_id(self) -> str:
        """Id of the account."""
        return self.account.id


class Directory(Protocol):
    """Where keys are looked up; `carillon.copies.AccountCopy` is one."""

    def by_api_key_hash(self, hash_: str, /) -> tuple[AccountChanged, ApiKey] | None:
        """The key with that SHA-256 (hex) and its account."""
        ...


def authenticate(directory: Directory, key: str | None, scope: str, now_ms: int) -> Principal:
    """The principal of an API key that may do `scope`, or a `Problem`.

    401 without a key, with an unknown or an expired one; 403 when the account isn't active or the scope isn't the
    key's.
    """
    if key is None:
        raise _unauthorised("key_missing", "Give an API key: Authorization: Bearer ck_live_...")
    found = directory.by_api_key_hash(hash_api_key(key))
    if found is None:
        raise _unauthorised("key_unknown", "This API key is not known.", "invalid_token")
    account, api_key = found
    if api_key.expires_at is not None and api_key.expires_at <= now_ms:
        raise _unauthorised("key_expired", "This API key has expired.", "invalid_token")
    if account.state != "active":
        raise Problem(403, f"account_{account.state}", f"This account is {account.state}.")
    if scope not in api_key.scopes:
        challenge = f'{_REALM}, error="insufficient_scope", scope="{scope}"'
        detail = f"This API key may not do this: it lacks the scope {scope}."
        raise Problem(403, "scope_missing", detail, headers={"WWW-Authenticate": challenge})
    return Principal(account, frozenset(api_key.scopes), api_key.id)


def require_scope(
    directory: Directory, scope: str, clock: Clock | None = None
) -> Callable[[Credentials], Awaitable[Principal]]:
    """A FastAPI dependency that gives the `Principal` of a key with `scope`."""
    time = clock or SystemClock()

    async def principal(credentials: Annotated[Credentials, Security(_api_key)]) -> Principal:
        return authenticate(directory, _token(credentials), scope, time.now_ms())

    return principal


def require_platform(token: str) -> Callable[[Credentials], Awaitable[None]]:
    """A FastAPI dependency for the platform team's own API: the token from the settings, compared in constant time.

    An empty token in the settings admits nobody.
    """
    expected = hashlib.sha256(token.encode()).digest()

    async def platform(credentials: Annotated[Credentials, Security(_platform_token)]) -> None:
        given = _token(credentials)
        if given is None:
            raise _unauthorised("token_missing", "Give the platform's token: Authorization: Bearer ...")
        digest = hashlib.sha256(given.encode("utf-8", "replace")).digest()
        if not (hmac.compare_digest(digest, expected) and token):
            raise _unauthorised("token_unknown", "This is not the platform's token.", "invalid_token")

    return platform


def _token(credentials: Credentials) -> str | None:
    return credentials.credentials if credentials is not None else None


def _unauthorised(code: str, detail: str, error: str | None = None) -> Problem:
    """401 with the challenge of RFC 6750, clause 3."""
    challenge = f'{_REALM}, error="{error}"' if error else _REALM
    return Problem(401, code, detail, headers={"WWW-Authenticate": challenge})
