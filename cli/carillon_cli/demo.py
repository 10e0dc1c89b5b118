"""The demo account: made once, found again at every later start, and written down in demo.env."""

import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from carillon_cli.api import AdminApi
from carillon_cli.servers.home import Home, write_private

ACCOUNT = "Demo"
DOOR = "demo"
LOGIN = "demo"
MEMORY = "demo"
SCOPES = ["messages", "receipts", "account", "contacts", "campaigns"]


@dataclass(frozen=True, slots=True)
class Demo:
    """What a stranger needs to send a first message."""

    door: str
    login: str
    password: str
    api_key: str


def ensure_demo(api: AdminApi, home: Home, callback_url: str) -> Demo:
    """The demo account with its door, key and callback; whatever is missing or no longer known is made anew."""
    account = _find(api) or api.call("POST", "/admin/accounts", {"name": ACCOUNT, "country": "FR"})
    path = f"/admin/accounts/{account['id']}"
    memory = home.recall(MEMORY)
    password = _ensure_door(api, path, account, memory.get("password"))
    key = _ensure_key(api, path, account, memory)
    if (account.get("callback") or {}).get("url") != callback_url:
        api.call("PUT", f"{path}/callback", {"url": callback_url, "form": "query"})
    home.remember(MEMORY, {"password": password, "key_id": key["id"], "key": key["key"]})
    return Demo(DOOR, LOGIN, password, key["key"])


def _find(api: AdminApi) -> dict[str, Any] | None:
    found = api.call("GET", f"/admin/accounts?name={ACCOUNT}")
    accounts: list[dict[str, Any]] = found["items"]
    return next((account for account in accounts if account["name"] == ACCOUNT), None)


def _ensure_door(api: AdminApi, path: str, account: Mapping[str, Any], password: str | None) -> str:
    exists = any(door["name"] == DOOR for door in account["doors"])
    if exists and password:
        return password
    password = password or secrets.token_urlsafe(12)
    if exists:  # its password was forgotten with the data folder's memory
        api.call("PATCH", f"{path}/doors/{DOOR}", {"login": LOGIN, "password": password})
    else:
        door = {"name": DOOR, "login": LOGIN, "password": password}
        api.call("POST", f"{path}/doors", door)
    return password


def _ensure_key(api: AdminApi, path: str, account: Mapping[str, Any], memory: Mapping[str, str]) -> Mapping[str, str]:
    known = next((key for key in account["api_keys"] if key["id"] == memory.get("key_id")), None)
    if known is not None and set(SCOPES) <= set(known["scopes"]):  # an older release's key may do less
        return {"id": memory["key_id"], "key": memory["key"]}
    made: dict[str, str] = api.call("POST", f"{path}/api-keys", {"scopes": SCOPES})
    return made


def write_env(home: Home, values: Mapping[str, str]) -> None:
    """`demo.env`, which a shell can source; only its owner may read it."""
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in values.items()]
    write_private(home.path / "demo.env", "".join(lines))
