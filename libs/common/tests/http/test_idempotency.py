"""A POST that is sent again."""

import asyncio
import itertools
from collections.abc import Sequence

import httpx
import pytest
from fastapi import APIRouter, Request
from starlette.responses import Response

from carillon.http.app import create_app
from carillon.http.idempotency import Answer, Idempotency, KeyHeader, fingerprint
from carillon.http.problem import overloaded
from carillon.testing.clock import ManualClock
from carillon.testing.idempotency import MemoryStore, StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


class Desk:
    """A POST handler that publishes ids, as ingest does."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore()
        self.published: list[tuple[int, ...]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.fails = False
        self._ids = itertools.count(1)
        self._idempotency = Idempotency(self.store, self.clock, lease_ms=30_000)
        router = APIRouter()
        router.add_api_route("/v1/messages", self.post, methods=["POST"], response_model=None)
        self.app = create_app("Carillon sample", routers=[router])

    async def post(self, request: Request, key: KeyHeader = None) -> Response:
        body = await request.body()
        return await self._idempotency.run(
            account=request.headers.get("account", "acc_1"),
            key=key,
            fingerprint=fingerprint(request.method, request.url.path, body),
            reserve=lambda: [next(self._ids), next(self._ids)],
            work=self._work,
        )

    async def _work(self, ids: Sequence[int]) -> Answer:
        self.published.append(tuple(ids))
        await self.gate.wait()
        if self.fails:
            raise overloaded()
        return Answer(202, str(list(ids)).encode())


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def post(desk: Desk, key: str | None = "k1", body: str = "{}", account: str = "acc_1") -> httpx.Response:
    headers = {"account": account} | ({"Idempotency-Key": key} if key is not None else {})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(desk.app), base_url="http://test") as client:
        return await client.post("/v1/messages", content=body, headers=headers)


async def test_the_same_key_gives_the_same_answer_and_works_once(desk: Desk) -> None:
    first, again = await post(desk), await post(desk)
    assert (first.status_code, first.text) == (again.status_code, again.text) == (202, "[1, 2]")
    assert first.headers["content-type"] == again.headers["content-type"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert desk.published == [(1, 2)]


async def test_without_a_key_every_post_is_new(desk: Desk) -> None:
    assert (await post(desk, None)).text != (await post(desk, None)).text
    assert desk.store.records == {}


async def test_accounts_do_not_share_keys(desk: Desk) -> None:
    assert (await post(desk)).text != (await post(desk, account="acc_2")).text


async def test_another_body_is_422(desk: Desk) -> None:
    await post(desk)
    answer = await post(desk, body='{"x":1}')
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert len(desk.published) == 1


async def test_while_the_first_is_under_way_the_second_is_409(desk: Desk) -> None:
    desk.gate.clear()
    first = asyncio.create_task(post(desk))
    while not desk.published:
        await asyncio.sleep(0)
    second = await post(desk)
    assert (second.status_code, second.json()["code"]) == (409, "idempotency_in_progress")
    assert int(second.headers["retry-after"]) == 30
    desk.gate.set()
    assert (await first).status_code == 202
    assert (await post(desk)).headers["idempotency-replayed"] == "true"


async def test_after_a_crash_a_retry_publishes_the_same_ids_once_the_lease_is_over(desk: Desk) -> None:
    desk.gate.clear()
    crashed = asyncio.create_task(post(desk))
    while not desk.published:
        await asyncio.sleep(0)
    desk.clock.step(30)
    desk.gate.set()
    assert (await post(desk)).text == "[1, 2]"
    assert desk.published == [(1, 2), (1, 2)]
    await crashed


async def test_work_that_fails_can_be_repeated_at_once_with_the_same_ids(desk: Desk) -> None:
    desk.fails = True
    assert (await post(desk)).status_code == 503
    desk.fails = False
    answer = await post(desk)
    assert (answer.status_code, answer.text) == (202, "[1, 2]")
    assert "idempotency-replayed" not in answer.headers


async def test_two_retries_of_an_abandoned_request_do_not_both_work(desk: Desk) -> None:
    desk.fails = True
    await post(desk)
    desk.fails = False
    desk.gate.clear()
    retries = [asyncio.create_task(post(desk)) for _ in range(2)]
    while len(desk.published) < 2:
        await asyncio.sleep(0)
    for _ in range(50):
        await asyncio.sleep(0)
    desk.gate.set()
    assert sorted([(await retry).status_code for retry in retries]) == [202, 409]
    assert desk.published == [(1, 2), (1, 2)]


async def test_after_a_day_the_key_is_new(desk: Desk) -> None:
    await post(desk)
    desk.clock.step(86_399)
    assert (await post(desk)).headers["idempotency-replayed"] == "true"
    desk.clock.step(1)
    assert (await post(desk)).text == "[5, 6]"


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\tbed"])
async def test_a_key_that_cannot_be_used_is_400(desk: Desk, key: str) -> None:
    answer = await post(desk, key)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_idempotency_key")
    assert answer.json()["errors"][0]["parameter"] == "Idempotency-Key"


def test_what_makes_requests_the_same() -> None:
    same = fingerprint("POST", "/v1/messages", b"{}")
    assert same == fingerprint("POST", "/v1/messages", b"{}")
    for other in (("PUT", "/v1/messages", b"{}"), ("POST", "/v1/message", b"s{}"), ("POST", "/v1/messages", b"")):
        assert fingerprint(*other) != same
