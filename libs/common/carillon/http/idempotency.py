"""Idempotency-Key: a POST that is sent again does its work once and gets the same answer.

The record of a key is stored before the work, with the ids that the work will publish. So after a crash in the middle a
retry publishes the same ids (rule R3), and consumers know them. While the work is under way the record is leased to it;
a lease that ran out means that the work was abandoned, and the next retry takes it over.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Protocol

import msgspec
from fastapi import Header
from starlette.responses import Response

from carillon.http.problem import FieldError, Problem, retry_after
from carillon.runtime.clock import Clock

KEEP_MS = 86_400_000
LEASE_MS = 30_000
REPLAYED_HEADER = "Idempotency-Replayed"

KeyHeader = Annotated[
    str | None, Header(alias="Idempotency-Key", description="1 to 255 printable ASCII characters, valid 24 h")
]


class Answer(msgspec.Struct, frozen=True):
    """An answer as it is sent, and sent again."""

    status: int
    body: bytes
    media_type: str = "application/json"

    def response(self, *, replayed: bool = False) -> Response:
        """For Starlette."""
        headers = {REPLAYED_HEADER: "true"} if replayed else None
        return Response(self.body, self.status, headers, media_type=self.media_type)


class KeyRecord(msgspec.Struct, frozen=True):
    """What is stored for a key. `key` names account and key; `answer` is None while the work is under way."""

    key: str
    fingerprint: str
    ids: tuple[int, ...]
    lease_until_ms: int
    expires_at_ms: int
    answer: Answer | None = None


class Store(Protocol):
    """Where records are kept. Each call is durable when it returns; `carillon.testing.idempotency` says the rest."""

    async def insert(self, record: KeyRecord, now_ms: int) -> KeyRecord | None:
        """Store a record and return None, or return the one that is there already and hasn't expired."""
        ...

    async def take_over(self, key: str, seen_lease_ms: int, lease_until_ms: int) -> bool:
        """Lease an unanswered record anew if its lease is still `seen_lease_ms`; False: somebody else did."""
        ...

    async def release(self, key: str, lease_until_ms: int) -> None:
        """End the lease of an unanswered record at once (0), if it is still this one."""
        ...

    async def finish(self, key: str, answer: Answer) -> None:
        """Store the answer."""
        ...


class Idempotency:
    """Does the work of a POST once for each key of an account."""

    def __init__(self, store: Store, clock: Clock, *, lease_ms: int = LEASE_MS) -> None:
        self._store = store
        self._clock = clock
        self._lease_ms = lease_ms

    async def run(
        self,
        *,
        account: str,
        key: str | None,
        fingerprint: str,
        reserve: Callable[[], Sequence[int]],
        work: Callable[[Sequence[int]], Awaitable[Answer]],
    ) -> Response:
        """The response to a POST. `reserve` gives the ids that `work` is to publish; `work` must bear being repeated.

        `Problem` 400 for a bad key, 422 for a key that came with another request, 409 (with Retry-After) while the
        first is under way. When `work` raises, its error goes to the client and the next retry repeats it with the same
        ids: so raise for what may pass (overload), and answer for what was decided.
        """
        if key is None:
            return (await work(reserve())).response()
        _check(key)
        now_ms = self._clock.now_ms()
        mine = KeyRecord(f"{account}:{key}", fingerprint, tuple(reserve()), now_ms + self._lease_ms, now_ms + KEEP_MS)
        there = await self._store.insert(mine, now_ms)
        if there is not None:
            _check_same(there, fingerprint)
            if there.answer is not None:
                return there.answer.response(replayed=True)
            mine = await self._take_over(there, now_ms)
        return await self._work(mine, work)

    async def _take_over(self, there: KeyRecord, now_ms: int) -> KeyRecord:
        left_ms = there.lease_until_ms - now_ms
        lease_until_ms = now_ms + self._lease_ms
        if left_ms > 0 or not await self._store.take_over(there.key, there.lease_until_ms, lease_until_ms):
            detail = "The first request with this key is still under way."
            raise Problem(409, "idempotency_in_progress", detail, headers=retry_after(max(left_ms, 1000) / 1000))
        return msgspec.structs.replace(there, lease_until_ms=lease_until_ms)

    async def _work(self, record: KeyRecord, work: Callable[[Sequence[int]], Awaitable[Answer]]) -> Response:
        try:
            answer = await work(record.ids)
            await self._store.finish(record.key, answer)
        except BaseException:
            # the next retry needs not wait for the lease to run out; if this fails too, it waits
            await asyncio.gather(self._store.release(record.key, record.lease_until_ms), return_exceptions=True)
            raise
        return answer.response()


def fingerprint(method: str, path: str, body: bytes) -> str:
    """What makes two requests the same: SHA-256 over method, path and body."""
    return hashlib.sha256(b"\0".join((method.encode(), path.encode(), body))).hexdigest()


def _check(key: str) -> None:
    if not (1 <= len(key) <= 255 and key.isascii() and key.isprintable()):
        detail = "1 to 255 printable ASCII characters"
        error = FieldError(parameter="Idempotency-Key", code="bad_idempotency_key", detail=detail)
        raise Problem(400, "bad_idempotency_key", "The Idempotency-Key can't be used.", errors=[error])


def _check_same(there: KeyRecord, fingerprint: str) -> None:
    if there.fingerprint != fingerprint:
        raise Problem(422, "idempotency_key_reused", "This Idempotency-Key came with another request before.")
