"""API keys and the platform's token."""

import re
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Depends

from carillon.events.account import AccountChanged, AccountState, ApiKey
from carillon.http.api_keys import hash_api_key, new_api_key
from carillon.http.app import create_app
from carillon.http.principal import Principal, require_platform, require_scope
from carillon.testing.clock import START_MS, ManualClock


class Keys(dict[str, tuple[AccountChanged, ApiKey]]):
    """A directory."""

    def by_api_key_hash(self, hash_: str) -> tuple[AccountChanged, ApiKey] | None:
        return self.get(hash_)

    def add(self, *, state: AccountState = "active", expires_at: int | None = None) -> str:
        key, hash_ = new_api_key()
        account = AccountChanged(id="acc_1", version=1, state=state)
        self[hash_] = (account, ApiKey(id="key_1", hash=hash_, scopes=["messages"], expires_at=expires_at))
        return key


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def client(keys: Keys) -> httpx.AsyncClient:
    router = APIRouter()
    allowed = require_scope(keys, "messages", ManualClock())

    @router.get("/who")
    async def who(principal: Annotated[Principal, Depends(allowed)]) -> list[str]:
        return [principal.account_id, principal.key_id, *principal.scopes]

    @router.get("/stats", dependencies=[Depends(require_scope(keys, "stats", ManualClock()))])
    async def stats() -> str:
        return "ok"

    @router.get("/admin", dependencies=[Depends(require_platform("platform-secret"))])
    async def admin() -> str:
        return "ok"

    @router.get("/closed", dependencies=[Depends(require_platform(""))])
    async def closed() -> str:
        return "ok"

    app = create_app("Carillon sample", routers=[router])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_new_keys_are_long_random_and_known_by_their_hash() -> None:
    key, hash_ = new_api_key()
    assert re.fullmatch(r"ck_live_[A-Za-z0-9]{40}", key)
    assert re.fullmatch(r"[0-9a-f]{64}", hash_)
    assert hash_api_key(key) == hash_
    assert new_api_key()[0] != key


async def test_a_key_with_the_scope_passes(client: httpx.AsyncClient, keys: Keys) -> None:
    answer = await client.get("/who", headers=bearer(keys.add(expires_at=START_MS + 1)))
    assert answer.json() == ["acc_1", "key_1", "messages"]


async def test_who_gives_no_or_no_valid_key_is_401_with_a_challenge(client: httpx.AsyncClient, keys: Keys) -> None:
    cases = {
        "key_missing": {},
        "key_unknown": bearer(new_api_key()[0]),
        "key_expired": bearer(keys.add(expires_at=START_MS)),
    }
    for code, headers in cases.items():
        answer = await client.get("/who", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, code)
        assert answer.headers["www-authenticate"].startswith('Bearer realm="carillon"')
    for header in ("Basic abc", "Bearer", "Bearer ", keys.add()):
        assert (await client.get("/who", headers={"Authorization": header})).status_code == 401


async def test_a_key_without_the_scope_is_403(client: httpx.AsyncClient, keys: Keys) -> None:
    answer = await client.get("/stats", headers=bearer(keys.add()))
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    assert 'scope="stats"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("state", ["suspended", "closed"])
async def test_an_account_that_is_not_active_is_403(client: httpx.AsyncClient, keys: Keys, state: AccountState) -> None:
    answer = await client.get("/who", headers=bearer(keys.add(state=state)))
    assert (answer.status_code, answer.json()["code"]) == (403, f"account_{state}")


async def test_the_platforms_token(client: httpx.AsyncClient, keys: Keys) -> None:
    assert (await client.get("/admin", headers=bearer("platform-secret"))).status_code == 200
    for token in ("platform-secre", "platform-secretx", "é", keys.add()):
        answer = await client.get("/admin", headers={b"Authorization": f"Bearer {token}".encode()})
        assert (answer.status_code, answer.json()["code"]) == (401, "token_unknown")
    assert (await client.get("/admin")).json()["code"] == "token_missing"
    assert (await client.get("/closed", headers={"Authorization": "Bearer "})).status_code == 401
    assert (await client.get("/closed", headers=bearer("x"))).status_code == 401
