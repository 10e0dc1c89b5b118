"""The admin API and an account's own view, over ASGI, on a real database and the bus in memory."""

import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from openapi_spec_validator import validate

from accounts import admin_api, own_api
from accounts.handlers import ChangeAccount
from accounts.problems import TRANSLATIONS
from accounts.store import AccountStore
from carillon.events.account import AccountChanged
from carillon.events.catalogue import ACCOUNT_CHANGED
from carillon.http.api_keys import hash_api_key
from carillon.http.app import create_app
from carillon.mongo import Mongo
from carillon.telemetry.logs import configure_logs
from carillon.testing.bus import MemoryBus
from carillon.testing.clock import ManualClock

pytestmark = pytest.mark.integration

TOKEN = "the-platforms-own-token"
PASSWORD = "correct horse"
Json = dict[str, Any]


class Platform:
    """The service without its broker: what it answers, and what it says."""

    def __init__(self, store: AccountStore, token: str = TOKEN) -> None:
        self.bus = MemoryBus()
        self.clock = ManualClock()
        change = ChangeAccount(store, self.bus, self.clock)
        self.app = create_app(
            "Carillon accounts",
            routers=[admin_api.routes(store, change, self.clock, token), own_api.routes(store, self.clock)],
            translations=TRANSLATIONS,
        )
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://accounts")

    async def ask(self, method: str, path: str, body: Json | None = None, *, token: str = TOKEN) -> httpx.Response:
        """A request with a bearer token."""
        headers = {"Authorization": f"Bearer {token}"}
        return await self.client.request(method, path, json=body, headers=headers)

    async def make(self, path: str, body: Json, status: int = 201) -> Json:
        """A POST that succeeds."""
        answer = await self.ask("POST", path, body)
        assert answer.status_code == status, answer.text
        made: Json = answer.json()
        return made

    async def account(self, **fields: Any) -> str:
        """Path of a new account."""
        made = await self.make("/admin/accounts", {"name": "Shop", **fields})
        return f"/admin/accounts/{made['id']}"

    async def refused(self, method: str, path: str, body: Json | None = None) -> tuple[int, str, list[Json]]:
        """Status, code and errors of a request that is refused, always as a problem."""
        answer = await self.ask(method, path, body)
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["status"] == answer.status_code
        return answer.status_code, problem["code"], problem.get("errors", [])

    def said(self) -> AccountChanged:
        """What others were told last."""
        record = self.bus.records(ACCOUNT_CHANGED)[-1]
        assert isinstance(record, AccountChanged)
        return record


@pytest.fixture
async def store(mongo_url: str, mongo_prefix: str) -> AsyncIterator[AccountStore]:
    mongo = Mongo(mongo_url, prefix=mongo_prefix)
    await mongo.start()
    store = AccountStore(mongo.database("accounts"))
    await store.start()
    yield store
    await mongo.stop()


@pytest.fixture
async def platform(store: AccountStore) -> AsyncIterator[Platform]:
    platform = Platform(store)
    yield platform
    await platform.client.aclose()
    await platform.bus.stop()


async def test_an_account_is_made_shown_and_said(platform: Platform) -> None:
    answer = await platform.ask(
        "POST",
        "/admin/accounts",
        {
            "name": " Shop ",
            "country": "be",
            "default_sender": "+32470123456",
            "default_sender_type": "international",
            "on_ambiguous": "resend",
            "lost_after_s": 3600,
        },
    )
    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["location"] == f"/admin/accounts/{made['id']}"
    assert made["id"].startswith("acc_")
    assert made == {
        "id": made["id"],
        "state": "active",
        "prepaid": False,
        "currency": "EUR",
        "price_list": None,
        "discount_permille": 0,
        "low_balance_micros": 0,
        "quota_per_s": 0,
        "quota_per_day": 0,
        "unusual_per_hour": 0,
        "usual_countries": [],
        "held_countries": [],
        "name": "Shop",
        "country": "BE",
        "default_sender": "32470123456",
        "default_sender_type": "international",
        "on_ambiguous": "resend",
        "lost_after_s": 3600,
        "callback": None,
        "created_at": "2026-11-18T11:06:40.000Z",
        "changed_at": "2026-11-18T11:06:40.000Z",
        "version": 1,
        "doors": [],
        "api_keys": [],
    }
    assert (await platform.ask("GET", answer.headers["location"])).json() == made
    said = platform.said()
    assert (said.id, said.version, said.country, said.lost_after_s) == (made["id"], 1, "BE", 3600)


async def test_only_the_platform_token_opens_the_admin_api(platform: Platform) -> None:
    path = await platform.account()
    key = (await platform.make(f"{path}/api-keys", {}))["key"]
    for token in ("", "wrong", TOKEN + "x", key):
        answer = await platform.ask("GET", path, token=token)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert (await platform.client.get(path)).status_code == 401
    assert (await platform.client.post("/admin/accounts", json={"name": "Shop"})).status_code == 401


@pytest.mark.parametrize("given", ["", "x"])
async def test_without_a_platform_token_the_admin_api_is_shut(store: AccountStore, given: str) -> None:
    platform = Platform(store, token="")
    assert (await platform.ask("GET", "/admin/accounts", token=given)).status_code == 401
    await platform.client.aclose()


async def test_accounts_are_listed_by_pages_and_found_by_name(platform: Platform) -> None:
    names = ["Bakery", "Butcher", "baker two", "Shop"]
    for name in names:
        await platform.account(name=name)
    first = await platform.ask("GET", "/admin/accounts?limit=3")
    assert [item["name"] for item in first.json()["items"]] == names[:3]
    cursor = first.json()["next"]
    assert f"cursor={cursor}" in first.headers["link"]
    last = await platform.ask("GET", f"/admin/accounts?limit=3&cursor={cursor}")
    assert [item["name"] for item in last.json()["items"]] == names[3:]
    assert last.json()["next"] is None
    assert "link" not in last.headers
    found = await platform.ask("GET", "/admin/accounts", None)
    assert len(found.json()["items"]) == 4
    found = await platform.ask("GET", "/admin/accounts?name=BAKER")
    assert [item["name"] for item in found.json()["items"]] == ["Bakery", "baker two"]
    assert (await platform.refused("GET", "/admin/accounts?cursor=nonsense"))[:2] == (400, "bad_cursor")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/name"),
        ({"name": "  "}, "#/name"),
        ({"name": "Shop", "country": "France"}, "#/country"),
        ({"name": "Shop", "default_sender": "TwelveLetter"}, "#/default_sender"),
        ({"name": "Shop", "default_sender_type": "text"}, "#/default_sender_type"),
        ({"name": "Shop", "on_ambiguous": "drop"}, "#/on_ambiguous"),
        ({"name": "Shop", "lost_after_s": 59}, "#/lost_after_s"),
        ({"name": "Shop", "contry": "FR"}, "#/contry"),
    ],
)
async def test_a_wrong_field_is_named(platform: Platform, body: Json, pointer: str) -> None:
    status, _, errors = await platform.refused("POST", "/admin/accounts", body)
    assert (status, [error["pointer"] for error in errors]) == (422, [pointer])
    assert platform.bus.said == []


async def test_a_change_keeps_what_it_does_not_name(platform: Platform) -> None:
    path = await platform.account(country="BE", lost_after_s=600)
    platform.clock.step(5)
    answer = await platform.ask("PATCH", path, {"name": "Bakery", "state": "suspended"})
    shown = answer.json()
    assert (shown["name"], shown["state"], shown["country"], shown["lost_after_s"]) == (
        "Bakery",
        "suspended",
        "BE",
        600,
    )
    assert (shown["version"], shown["changed_at"]) == (2, "2026-11-18T11:06:45.000Z")
    assert platform.said().state == "suspended"


async def test_a_field_of_a_change_may_not_be_null(platform: Platform) -> None:
    path = await platform.account()
    for field in ("name", "country", "default_sender", "default_sender_type", "on_ambiguous", "lost_after_s", "state"):
        status, _, errors = await platform.refused("PATCH", path, {field: None})
        assert (status, [error["pointer"] for error in errors]) == (422, [f"#/{field}"])


async def test_a_closed_account_stays_closed(platform: Platform) -> None:
    path = await platform.account()
    assert (await platform.ask("PATCH", path, {"state": "closed"})).json()["state"] == "closed"
    assert (await platform.refused("PATCH", path, {"state": "active"}))[:2] == (409, "account_closed")
    assert (await platform.refused("POST", f"{path}/api-keys", {}))[:2] == (409, "account_closed")


async def test_what_is_not_there_is_not_found(platform: Platform) -> None:
    path = await platform.account()
    asked = {
        ("GET", "/admin/accounts/acc_none"): "account_unknown",
        ("PATCH", "/admin/accounts/acc_none"): "account_unknown",
        ("GET", "/admin/accounts/acc_none/api-keys"): "account_unknown",
        ("POST", "/admin/accounts/acc_none/api-keys"): "account_unknown",
        ("PATCH", f"{path}/doors/none"): "door_unknown",
        ("DELETE", f"{path}/doors/none"): "door_unknown",
        ("DELETE", f"{path}/api-keys/key_none"): "api_key_unknown",
        ("DELETE", f"{path}/callback"): "callback_unknown",
        ("POST", f"{path}/callback/secret"): "callback_unknown",
    }
    for (method, where), code in asked.items():
        body: Json | None = {} if method in ("POST", "PATCH") else None
        assert (await platform.refused(method, where, body))[:2] == (404, code), where


async def test_a_door_is_opened_changed_and_closed(platform: Platform) -> None:
    path = await platform.account()
    body = {"name": "SHOP-1", "addresses": ["192.0.2.7/32", "2001:DB8::/32"], "login": "bob", "password": PASSWORD}
    door = await platform.make(f"{path}/doors", body)
    assert door == {
        "name": "shop-1",
        "path": "/Ext/shop-1.asp",
        "addresses": ["192.0.2.7", "2001:db8::/32"],
        "login": "bob",
        "split_long_text": False,
        "created_at": "2026-11-18T11:06:40.000Z",
    }
    [said] = platform.said().doors
    assert said.password_hash is not None
    assert said.password_hash.startswith("$argon2id$")
    assert PasswordHasher().verify(said.password_hash, PASSWORD)

    changed = await platform.ask("PATCH", f"{path}/doors/Shop-1", {"split_long_text": True, "addresses": []})
    assert (changed.status_code, changed.json()["split_long_text"], changed.json()["addresses"]) == (200, True, [])
    assert platform.said().doors[0].password_hash == said.password_hash

    other = await platform.ask("PATCH", f"{path}/doors/shop-1", {"password": "battery staple"})
    assert other.status_code == 200
    fresh = platform.said().doors[0].password_hash
    assert fresh is not None
    assert PasswordHasher().verify(fresh, "battery staple")

    assert (await platform.ask("DELETE", f"{path}/doors/SHOP-1")).status_code == 204
    assert platform.said().doors == []


async def test_a_door_name_is_unique_on_the_platform_in_any_case(platform: Platform) -> None:
    first, second = await platform.account(), await platform.account()
    body = {"name": "shop", "addresses": ["0.0.0.0/0"]}
    await platform.make(f"{first}/doors", body)
    for path in (first, second):
        status, code, errors = await platform.refused("POST", f"{path}/doors", {**body, "name": "SHOP"})
        assert (status, code, errors[0]["pointer"]) == (409, "door_name_taken", "#/name")
    await platform.ask("DELETE", f"{first}/doors/shop")
    await platform.make(f"{second}/doors", body)


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({}, "#/addresses"),
        ({"login": "bob"}, "#"),
        ({"password": PASSWORD}, "#"),
        ({"addresses": ["192.0.2.7", "nowhere"]}, "#/addresses/1"),
        ({"login": "b:b", "password": PASSWORD}, "#/login"),
        ({"login": "bob", "password": "12345"}, "#/password"),
        ({"name": "a_b", "addresses": ["::/0"]}, "#/name"),
    ],
)
async def test_a_door_that_cannot_be_is_refused_and_its_password_is_not_repeated(
    platform: Platform, fields: Json, where: str
) -> None:
    path = await platform.account()
    answer = await platform.ask("POST", f"{path}/doors", {"name": "shop", **fields})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [where]
    if "password" in fields:
        assert fields["password"] not in answer.text


async def test_a_key_is_shown_once_and_kept_as_a_hash(platform: Platform, store: AccountStore) -> None:
    path = await platform.account()
    body = {"scopes": ["messages", "messages"], "expires_at": "2027-01-01T01:00:00+01:00"}
    answer = await platform.ask("POST", f"{path}/api-keys", body)
    made = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    key = made.pop("key")
    assert key.startswith("ck_live_")
    assert made == {
        "id": made["id"],
        "hint": f"ck_live_...{key[-4:]}",
        "scopes": ["messages"],
        "created_at": "2026-11-18T11:06:40.000Z",
        "expires_at": "2027-01-01T00:00:00.000Z",
    }
    assert (await platform.ask("GET", f"{path}/api-keys")).json() == {"items": [made], "next": None}
    [said] = platform.said().api_keys
    assert (said.id, said.hash, said.scopes) == (made["id"], hash_api_key(key), ["messages"])
    assert key not in repr(await store.find_by_key_hash(hash_api_key(key)))
    assert (await platform.ask("DELETE", f"{path}/api-keys/{made['id']}")).status_code == 204
    assert platform.said().api_keys == []
    assert await store.find_by_key_hash(hash_api_key(key)) is None


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"scopes": []}, "#/scopes"),
        ({"scopes": ["messages", "everything"]}, "#/scopes/1"),
        ({"expires_at": "2026-11-18T11:06:40Z"}, "#/expires_at"),
        ({"expires_at": "2027-01-01T00:00:00"}, "#/expires_at"),
        ({"expires_at": "tomorrow"}, "#/expires_at"),
    ],
)
async def test_a_key_that_cannot_be_is_refused(platform: Platform, body: Json, where: str) -> None:
    path = await platform.account()
    status, _, errors = await platform.refused("POST", f"{path}/api-keys", body)
    assert (status, [error["pointer"] for error in errors]) == (422, [where])


async def test_a_callback_shows_its_secret_and_rotates_it(platform: Platform) -> None:
    path = await platform.account()
    put = await platform.ask("PUT", f"{path}/callback", {"url": "https://example.com/sms", "form": "json"})
    first = put.json().pop("secret")
    assert put.status_code == 200
    assert put.headers["cache-control"] == "no-store"
    assert first.startswith("whsec_")
    assert put.json() | {"secret": ""} == {
        "url": "https://example.com/sms", "form": "json", "secrets_valid": 1, "secret": "",
    }  # fmt: skip
    second = (await platform.make(f"{path}/callback/secret", {}, status=200))["secret"]
    callback = platform.said().callback
    assert callback is not None
    assert callback.secrets == [second, first]
    shown = (await platform.ask("GET", path)).json()["callback"]
    assert shown == {"url": "https://example.com/sms", "form": "json", "secrets_valid": 2}
    assert (await platform.ask("DELETE", f"{path}/callback/secret")).status_code == 204
    again = await platform.ask("PUT", f"{path}/callback", {"url": "https://example.com/other"})
    assert (again.json()["secret"], again.json()["form"]) == (second, "query")
    assert (await platform.ask("DELETE", f"{path}/callback")).status_code == 204
    assert platform.said().callback is None


async def test_a_callback_that_cannot_be_called_is_refused(platform: Platform) -> None:
    path = await platform.account()
    for body, where in [
        ({"url": "ftp://example.com"}, "#/url"),
        ({"url": "https://example.com", "form": "soap"}, "#/form"),
        ({}, "#/url"),
    ]:
        status, _, errors = await platform.refused("PUT", f"{path}/callback", body)
        assert (status, [error["pointer"] for error in errors]) == (422, [where])


async def test_an_account_sees_itself_and_nobody_else(platform: Platform) -> None:
    keys: dict[str, str] = {}
    for name in ("one", "two"):
        path = await platform.account(name=name)
        await platform.make(f"{path}/doors", {"name": f"door-{name}", "login": "bob", "password": PASSWORD})
        await platform.ask("PUT", f"{path}/callback", {"url": f"https://{name}.example.com", "form": "json"})
        keys[name] = (await platform.make(f"{path}/api-keys", {}))["key"]
    for name, key in keys.items():
        account = (await platform.ask("GET", "/v1/account", token=key)).json()
        doors = (await platform.ask("GET", "/v1/doors", token=key)).json()
        api_keys = (await platform.ask("GET", "/v1/api-keys", token=key)).json()
        assert account["name"] == name
        assert account["callback"] == {"url": f"https://{name}.example.com", "form": "json", "secrets_valid": 1}
        assert [door["name"] for door in doors["items"]] == [f"door-{name}"]
        assert [item["hint"] for item in api_keys["items"]] == [f"ck_live_...{key[-4:]}"]
        for shown in (account, doors, api_keys):
            for secret in ("whsec_", "argon2", hash_api_key(key), key, PASSWORD):
                assert secret not in str(shown)


async def test_the_own_view_needs_a_valid_key_of_the_account_scope(platform: Platform) -> None:
    path = await platform.account()
    expires_at = "2026-11-18T11:06:50Z"
    good = await platform.make(f"{path}/api-keys", {"scopes": ["account"], "expires_at": expires_at})
    narrow = await platform.make(f"{path}/api-keys", {"scopes": ["messages", "receipts"]})
    revoked = await platform.make(f"{path}/api-keys", {})
    await platform.ask("DELETE", f"{path}/api-keys/{revoked['id']}")
    for where in ("/v1/account", "/v1/doors", "/v1/api-keys"):
        assert (await platform.client.get(where)).status_code == 401
        expected = {good["key"]: 200, narrow["key"]: 403, revoked["key"]: 401, TOKEN: 401, good["key"] + "x": 401}
        for token, status in expected.items():
            assert (await platform.ask("GET", where, token=token)).status_code == status
    platform.clock.step(10)
    assert (await platform.ask("GET", "/v1/account", token=good["key"])).status_code == 401


async def test_no_secret_is_logged(platform: Platform) -> None:
    out = io.StringIO()
    undo = configure_logs("accounts", "info", stream=out)
    try:
        path = await platform.account()
        await platform.make(f"{path}/doors", {"name": "shop", "login": "bob", "password": PASSWORD})
        key = (await platform.make(f"{path}/api-keys", {}))["key"]
        put = await platform.ask("PUT", f"{path}/callback", {"url": "https://example.com/?token=hidden"})
    finally:
        undo()
    logged = out.getvalue()
    assert logged.count("account.changed") == 3
    for hidden in (PASSWORD, key, put.json()["secret"], TOKEN, "argon2", hash_api_key(key), "hidden"):
        assert hidden not in logged


async def test_while_the_database_is_away_the_answer_is_503(store: AccountStore) -> None:
    nowhere = Mongo("mongodb://127.0.0.1:1/?connectTimeoutMS=100")
    platform = Platform(AccountStore(nowhere.database("accounts")))
    answer = await platform.ask("GET", "/admin/accounts/acc_1")
    assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
    assert "retry-after" in answer.headers
    await platform.client.aclose()
    await nowhere.stop()


async def test_the_openapi_document_is_valid_and_names_every_path(platform: Platform) -> None:
    document = (await platform.client.get("/openapi/accounts.json")).json()
    validate(document)
    assert set(document["paths"]) == {
        "/admin/accounts",
        "/admin/accounts/{id}",
        "/admin/accounts/{id}/doors",
        "/admin/accounts/{id}/doors/{name}",
        "/admin/accounts/{id}/api-keys",
        "/admin/accounts/{id}/api-keys/{key_id}",
        "/admin/accounts/{id}/callback",
        "/admin/accounts/{id}/callback/secret",
        "/v1/account",
        "/v1/doors",
        "/v1/api-keys",
    }
