"""What ingest costs in CPU microseconds: a push at the legacy door, and a message of a batch of 1,000 by JSON.

Everything is real but the socket and the broker: the application with its gate, and a bus that encodes and forgets.
The door is asked 32 at once, as 32 clients would; uvicorn's share (about 45 us a push) comes on top.

    python -m bench.micro_ingest [--profile]
"""

import argparse
import asyncio
import cProfile
import json
import os
import pstats
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from pydantic import SecretStr

from carillon.copies.suppression_table import SuppressionTable
from carillon.credit import Purse
from carillon.events.account import ApiKey, Door
from carillon.events.codec import encode
from carillon.http.api_keys import hash_api_key
from carillon.http.idempotency import Idempotency
from carillon.http.passwords import PasswordVerifier, hash_password
from carillon.runtime.clock import SystemClock
from carillon.runtime.ids import MessageIds
from carillon.runtime.number_hash import NumberHash
from carillon.testing.builders import an_account
from carillon.testing.bus import MemoryBus
from carillon.testing.idempotency import MemoryStore
from ingest import api
from ingest.acceptance import Acceptance
from ingest.doors.json_door import JsonDoor
from ingest.doors.legacy import LegacyDoor
from ingest.limits import Limits
from ingest.store.refs import Claim
from ingest.till import Till

AT_ONCE = 32
PUSHES = 20_000
BATCHES = 20
BATCH = 1_000
KEY = "ck_live_bench"

App = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]


class ForgetfulBus(MemoryBus):
    """Encodes, as on the way to a broker, and keeps nothing; the confirm takes a turn of the loop."""

    async def publish(self, event: Any, records: Any, **where: Any) -> None:
        for at in range(0, len(records), 500):
            encode(records[at : at + 500])
        await asyncio.sleep(0.001)


class Accounts:
    """One account with a door that asks for a password, as in the demo, and one key."""

    def __init__(self) -> None:
        door = Door(name="rig", login="me", password_hash=hash_password("s3cret"))
        key = ApiKey(id="key_1", hash=hash_api_key(KEY), scopes=["messages"])
        account = an_account(doors=[door], api_keys=[key])
        self._door, self._key = (account, door), (account, key)

    def by_door(self, _name: str) -> Any:
        return self._door

    def by_api_key_hash(self, _hash: str, /) -> Any:
        return self._key

    def tariff_for(self, _account: Any) -> None:
        return None


class NoReferences:
    """The bench gives none."""

    async def settle(self, account: str, ref: str, message: int) -> Claim:
        return Claim(f"{account} {ref}", message)

    def mark_said(self, claim: Claim) -> None:
        return None


class NoDays:
    """No account has a quota."""

    async def take(self, account: str, day: str, quota: int) -> tuple[int, int]:
        raise AssertionError(account)

    async def give_back(self, account: str, day: str, messages: int) -> None:
        raise AssertionError(account)


class Stopped:
    """A million numbers that have said STOP, as the copy keeps them."""

    def __init__(self) -> None:
        self._hash = NumberHash(SecretStr("k" * 32)).of
        self._table = SuppressionTable()
        for _ in range(1_000_000):
            self._table.add(os.urandom(16))

    def has(self, account: str, number: str, /) -> bool:
        return self._hash(account, number) in self._table


def make_app() -> App:
    clock, accounts = SystemClock(), Accounts()
    ids = MessageIds(1, clock)
    acceptance = Acceptance(ForgetfulBus(), max_waiting=20_000)
    limits = Limits(ForgetfulBus(), NoDays(), clock)
    till = Till(accounts, Purse(ForgetfulBus(), service="ingest", process="bench", clock=clock), limits)
    stopped = Stopped()
    legacy = LegacyDoor(accounts, PasswordVerifier(), acceptance, till, NoReferences(), ids, clock, suppressed=stopped)
    door = JsonDoor(acceptance, till, Idempotency(MemoryStore(), clock), ids, clock, suppressed=stopped)
    return api.application(door, legacy, accounts, limits, clock, health=dict)


async def ask(app: App, method: str, path: str, query: bytes, body: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
    said: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.body":
            said.append(message["body"])

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": query, "root_path": "", "headers": headers,
        "client": ("127.0.0.1", 4711), "server": ("127.0.0.1", 8080),
    }  # fmt: skip
    await app(scope, receive, send)
    return said[0]


async def push(app: App, count: int) -> None:
    headers = [(b"host", b"127.0.0.1:8080"), (b"user-agent", b"bench")]

    async def client(first: int) -> None:
        for number in range(first, count, AT_ONCE):
            query = b"number=3361%07d&content=Hello+%d&login=me&password=s3cret" % (number, number)
            answer = await ask(app, "GET", "/Ext/rig.asp", query, b"", headers)
            assert answer.isdigit(), answer

    await asyncio.gather(*(client(first) for first in range(AT_ONCE)))


async def batch(app: App, count: int) -> None:
    messages = [{"to": f"+336140{n:05d}", "text": f"Hello number {n}, your parcel is here"} for n in range(BATCH)]
    body = json.dumps({"messages": messages}).encode()
    headers = [(b"authorization", b"Bearer " + KEY.encode()), (b"content-type", b"application/json")]
    for _ in range(count):
        answer = await ask(app, "POST", "/v1/messages", b"", body, headers)
        assert answer.count(b"accepted") == BATCH, answer[:300]


async def measure(app: App) -> dict[str, float]:
    await push(app, 500)
    await batch(app, 2)
    started_s = time.process_time()
    await push(app, PUSHES)
    pushed_s = time.process_time()
    await batch(app, BATCHES)
    ended_s = time.process_time()
    return {
        "push_us": round((pushed_s - started_s) / PUSHES * 1e6, 1),
        "batch_record_us": round((ended_s - pushed_s) / (BATCHES * BATCH) * 1e6, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--profile", action="store_true", help="print where the time of pushes and of batches goes")
    if not parser.parse_args().profile:
        print(json.dumps(asyncio.run(measure(make_app()))))
        return
    for work, count in ((push, 5_000), (batch, 5)):
        with cProfile.Profile() as profile:
            asyncio.run(work(make_app(), count))
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
