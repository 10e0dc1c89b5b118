"""Ingest in one process: the real application on a bus and references in memory, called without a socket."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from fastapi import FastAPI

from carillon.credit import Purse
from carillon.events.account import AccountChanged, ApiKey, Door
from carillon.events.catalogue import MESSAGE_ACCEPTED
from carillon.events.message import Accepted
from carillon.http.addresses import parse_networks
from carillon.http.api_keys import hash_api_key
from carillon.http.idempotency import Idempotency
from carillon.http.passwords import PasswordVerifier, hash_password
from carillon.runtime.ids import MessageIds
from carillon.sms.tariff import Tariff
from carillon.testing.builders import an_account
from carillon.testing.bus import MemoryBus
from carillon.testing.clock import ManualClock
from carillon.testing.idempotency import MemoryStore
from ingest import api
from ingest.acceptance import Acceptance, Ids
from ingest.doors.json_door import JsonDoor
from ingest.doors.legacy import LegacyDoor
from ingest.limits import Limits
from ingest.store.day_quotas import chunk_of
from ingest.store.refs import Claim
from ingest.till import Till

PEER = "192.0.2.10"
KEY = "ck_live_test"
HASH = hash_password("s3cret")
ACCOUNT = an_account(
    default_sender="Default",
    doors=[
        Door(name="demo", addresses=["192.0.2.0/24"]),
        Door(name="long", addresses=[PEER], split_long_text=True),
        Door(name="locked", login="me", password_hash=HASH),
        Door(name="both", addresses=["2001:db8::/32"], login="me", password_hash=HASH),
        Door(name="open"),
    ],
    api_keys=[
        ApiKey(id="key_1", hash=hash_api_key(KEY), scopes=["messages"]),
        ApiKey(id="key_2", hash=hash_api_key("ck_live_other"), scopes=["contacts"]),
    ],
)
OTHERS = [
    an_account(
        id=f"acc_{state}",
        state=state,
        doors=[Door(name=state, addresses=[PEER])],
        api_keys=[ApiKey(id=f"key_{state}", hash=hash_api_key(f"ck_live_{state}"), scopes=["messages"])],
    )
    for state in ("suspended", "closed")
]
OTHERS.append(
    an_account(
        id="acc_prepaid",
        prepaid=True,
        doors=[Door(name="prepaid", addresses=[PEER])],
        api_keys=[ApiKey(id="key_prepaid", hash=hash_api_key("ck_live_prepaid"), scopes=["messages"])],
    )
)

LIMITED = [
    an_account(
        id=f"acc_{name}",
        doors=[Door(name=name, addresses=[PEER])],
        api_keys=[ApiKey(id=f"key_{name}", hash=hash_api_key(f"ck_live_{name}"), scopes=["messages"])],
        **limits,
    )
    for name, limits in (
        ("hasty", {"quota_per_s": 3}),
        ("daily", {"quota_per_day": 5}),
        ("cautious", {"unusual_per_hour": 4, "usual_countries": ["BE"]}),
    )
]
OTHERS += LIMITED


class Known:
    """Accounts by door and by key."""

    def by_door(self, name: str) -> tuple[AccountChanged, Door] | None:
        return next(((a, door) for a in (ACCOUNT, *OTHERS) for door in a.doors if door.name == name), None)

    def by_api_key_hash(self, hash_: str, /) -> tuple[AccountChanged, ApiKey] | None:
        return next(((a, key) for a in (ACCOUNT, *OTHERS) for key in a.api_keys if key.hash == hash_), None)


@dataclass
class Stopped:
    """Who has said STOP, to which account."""

    numbers: set[tuple[str, str]] = field(default_factory=set)

    def has(self, account: str, number: str, /) -> bool:
        return (account, number) in self.numbers


@dataclass
class References:
    """What `ingest.store.refs.Refs` does, in a dictionary."""

    claims: dict[str, Claim] = field(default_factory=dict)

    async def settle(self, account: str, ref: str, message: int) -> Claim:
        key = f"{account} {ref}"
        held = self.claims.setdefault(key, Claim(key, message))
        return Claim(key, held.message, held.said)

    def mark_said(self, claim: Claim) -> None:
        self.claims[claim.key].said = True


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Ingest:
    """The application and what is around it."""

    app: FastAPI
    bus: MemoryBus
    clock: ManualClock
    references: References
    keys: MemoryStore
    acceptance: Acceptance
    purse: Purse
    stopped: Stopped
    limits: Limits
    till: Till

    async def ask(
        self,
        method: str,
        path: str,
        query: bytes = b"",
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        peer: str = PEER,
    ) -> Answer:
        """One request, as an ASGI server would hand it over; the body comes in two pieces."""
        named = {**(headers or {}), **({"content-length": str(len(body))} if body else {})}
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": query, "root_path": "", "client": (peer, 4711),
            "server": ("test", 80),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in named.items()],
        }  # fmt: skip
        half = len(body) // 2
        pieces = [(body[:half], True), (body[half:], False)]
        answer = Answer(0, {}, b"")

        async def receive() -> dict[str, Any]:
            if not pieces:
                return {"type": "http.disconnect"}
            piece, more = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": more}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                answer.body += message["body"]

        await self.app(scope, receive, send)
        return answer

    async def push(self, query: str | bytes, door: str = "demo", **how: Any) -> Answer:
        """GET on the legacy door."""
        raw = query.encode() if isinstance(query, str) else query
        return await self.ask("GET", f"/Ext/{door}.asp", raw, **how)

    async def post(self, path: str, content: Any, key: str | None = KEY, **headers: str) -> Answer:
        """POST to the JSON API."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.ask("POST", path, body=body, headers={"content-type": "application/json", **named})

    @property
    def said(self) -> list[Accepted]:
        """What was accepted."""
        return [record for record in self.bus.records(MESSAGE_ACCEPTED) if isinstance(record, Accepted)]


class DaysInMemory:
    """What `ingest.store.day_quotas.DayQuotas` does, in a dictionary."""

    def __init__(self) -> None:
        self.used: dict[tuple[str, str], int] = {}

    async def take(self, account: str, day: str, quota: int) -> tuple[int, int]:
        used = self.used.get((account, day), 0)
        granted = max(0, min(chunk_of(quota), quota - used))
        self.used[account, day] = used + granted
        return granted, used + granted

    async def give_back(self, account: str, day: str, messages: int) -> None:
        self.used[account, day] -= messages


class PriceLists:
    """One tariff for all, or none."""

    def __init__(self, tariff: Tariff | None) -> None:
        self._tariff = tariff

    def tariff_for(self, _account: AccountChanged) -> Tariff | None:
        return self._tariff


def wire(bus: MemoryBus, ids: Ids | None = None, max_waiting: int = 1_000, tariff: Tariff | None = None) -> Ingest:
    """Wired as in `ingest.main`."""
    clock = ManualClock()
    ids = ids or MessageIds(1, clock)
    references, keys, known, stopped = References(), MemoryStore(), Known(), Stopped()
    acceptance = Acceptance(bus, max_waiting=max_waiting)
    purse = Purse(bus, service="ingest", process="ing_1", clock=clock)
    limits = Limits(bus, DaysInMemory(), clock)
    till = Till(PriceLists(tariff), purse, limits)
    legacy = LegacyDoor(
        known,
        PasswordVerifier(),
        acceptance,
        till,
        references,
        ids,
        clock,
        suppressed=stopped,
        trusted_proxies=parse_networks("198.51.100.1"),
    )
    door = JsonDoor(acceptance, till, Idempotency(keys, clock), ids, clock, suppressed=stopped)
    app = api.application(door, legacy, known, limits, clock, health=bus.problems)
    return Ingest(app, bus, clock, references, keys, acceptance, purse, stopped, limits, till)


@pytest.fixture
async def make_ingest() -> AsyncIterator[Callable[..., Ingest]]:
    """`make_ingest(ids=..., max_waiting=...)`."""
    bus = MemoryBus()
    yield partial(wire, bus)
    await bus.stop()


@pytest.fixture
def ingest(make_ingest: Callable[..., Ingest]) -> Ingest:
    """As it comes."""
    return make_ingest()
