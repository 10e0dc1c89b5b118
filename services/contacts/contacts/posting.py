"""POSTs that are sent again do their work once: an Idempotency-Key keeps the ids that the work gives."""

import secrets
from collections.abc import Awaitable, Callable, Sequence

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from carillon.http.idempotency import Answer, Idempotency, fingerprint
from carillon.http.problem import Problem
from carillon.runtime.clock import Clock

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


class Posting:
    """Runs the work of one POST. What it refuses is told and not kept: tried again, it may do."""

    def __init__(self, idempotency: Idempotency, clock: Clock) -> None:
        self._idempotency = idempotency
        self._clock = clock

    async def run(
        self,
        request: Request,
        account: str,
        key: str | None,
        work: Callable[[str], Awaitable[BaseModel]],
        *,
        status: int = 200,
    ) -> Response:
        """`work` is given the part of an id that comes after its prefix, the same each time."""

        async def answer(ids: Sequence[int]) -> Answer:
            made = await work(sortable(ids[0], ids[1]))
            return Answer(status, made.model_dump_json().encode())

        return await self._idempotency.run(
            account=account,
            key=key,
            fingerprint=fingerprint(request.method, request.url.path, await request.body()),
            reserve=lambda: (self._clock.now_ms(), secrets.randbits(63)),
            work=answer,
        )


def sortable(millis: int, chance: int) -> str:
    """26 characters (Crockford's base 32) of a time and 63 random bits, in the form of `carillon.runtime.ids`."""
    value = millis << 80 | chance << 17
    return "".join(_CROCKFORD[(value >> shift) & 31] for shift in range(125, -1, -5))


def version_of(if_match: str | None) -> int | None:
    """The version that If-Match names; None: any. `Problem` 400 when it is no ETag of ours."""
    if if_match is None or if_match.strip() == "*":
        return None
    bare = if_match.strip().removeprefix("W/").strip('"')
    if not (bare.isascii() and bare.isdigit()):
        raise Problem(400, "bad_if_match", "If-Match takes the ETag that a GET gave.")
    return int(bare)
