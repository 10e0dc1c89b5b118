"""The JSON door: from the body of a request to its answer. The HTTP around it is in `ingest.api`."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec
from starlette.responses import Response

from carillon.events.base import LANES
from carillon.events.message import Accepted, Deferred
from carillon.http.idempotency import Answer, Idempotency, fingerprint
from carillon.http.principal import Principal
from carillon.http.problem import FieldError, Problem
from carillon.runtime.clock import Clock
from carillon.telemetry import metrics, traces
from ingest.acceptance import Acceptance, Ids
from ingest.domain.quote import quote_of
from ingest.domain.refusal import Refusal
from ingest.doors.json_reading import Outcome, decide, read_quote

PATH: Final = "/v1/messages"
QUOTE_PATH: Final = "/v1/messages/quote"


class Taken(msgspec.Struct, frozen=True):
    """A message that the platform has promised to take to a final state."""

    id: Annotated[str, msgspec.Meta(description="a 63-bit number, in digits", examples=["247712361308164096"])]
    status: Annotated[Literal["accepted", "scheduled"], msgspec.Meta(description="scheduled: to be sent at send_at")]
    parts: Annotated[int, msgspec.Meta(description="SMS parts that it takes")]


class NotTaken(msgspec.Struct, frozen=True):
    """A message of a batch that was refused, and why (a problem, RFC 9457)."""

    error: msgspec.Raw


class Results(msgspec.Struct, frozen=True):
    """One result for each message of a batch, in order."""

    results: list[Taken | NotTaken]


class JsonDoor:
    """Takes messages and quotes contents."""

    def __init__(self, acceptance: Acceptance, idempotency: Idempotency, ids: Ids, clock: Clock) -> None:
        self._acceptance = acceptance
        self._idempotency = idempotency
        self._ids = ids
        self._clock = clock

    async def send(self, principal: Principal, body: bytes, idempotency_key: str | None) -> Response:
        """Take the message, or each message of the batch that can be taken; `Problem` when none can even be read."""
        try:
            is_batch, outcomes = decide(body, principal.account, principal.key_id, self._clock.now_ms())
        except Refusal as refusal:
            raise _problem(refusal) from None
        first = outcomes[0]
        if not is_batch and isinstance(first, Refusal):
            metrics.record_request("json", "rejected")
            raise _problem(first)

        async def work(ids: Sequence[int]) -> Answer:
            await self._take(outcomes, ids)
            return _answer(outcomes, is_batch=is_batch)

        response = await self._idempotency.run(
            account=principal.account_id,
            key=idempotency_key,
            fingerprint=fingerprint("POST", PATH, body) if idempotency_key is not None else "",
            reserve=lambda: self._ids.block(len(outcomes)),
            work=work,
        )
        metrics.record_request("json", "accepted")
        return response

    def quote(self, body: bytes) -> bytes:
        """The quote, as JSON; `Problem` for what could not be sent."""
        try:
            return msgspec.json.encode(quote_of(read_quote(body)))
        except Refusal as refusal:
            raise _problem(refusal) from None

    async def _take(self, outcomes: Sequence[Outcome], ids: Sequence[int]) -> None:
        """A message's id is that of its place, so a retry gives each the id that it had."""
        trace = traces.current_traceparent()
        messages: list[Accepted] = []
        later: list[Deferred] = []
        for message_id, outcome in zip(ids, outcomes, strict=True):
            if isinstance(outcome, Refusal):
                continue
            message = outcome.message if isinstance(outcome, Deferred) else outcome
            message.id = message_id
            message.trace = trace
            if isinstance(outcome, Deferred):
                later.append(outcome)
            else:
                messages.append(outcome)
        if later:
            await self._acceptance.defer(later)
        if len(messages) == 1:
            await self._acceptance.accept(messages[0])
        else:
            await self._acceptance.accept_batch(messages)
        messages += [deferred.message for deferred in later]
        for lane in LANES:
            count = sum(message.lane == lane for message in messages)
            if count:
                metrics.record_accepted("json", lane, count)


def _answer(outcomes: Sequence[Outcome], *, is_batch: bool) -> Answer:
    results = [_result(place, outcome) for place, outcome in enumerate(outcomes)]
    return Answer(202, msgspec.json.encode(Results(results) if is_batch else results[0]))


def _result(place: int, outcome: Outcome) -> Taken | NotTaken:
    if isinstance(outcome, Deferred):
        return Taken(str(outcome.message.id), "scheduled", outcome.message.parts)
    if isinstance(outcome, Accepted):
        return Taken(str(outcome.id), "accepted", outcome.parts)
    return NotTaken(msgspec.Raw(_problem(outcome, f"/messages/{place}").body()))


def _problem(refusal: Refusal, at: str = "") -> Problem:
    """`at` is where the message stands in the body, as a JSON pointer."""
    pointer = "#" + at + ("/" + refusal.field.replace(".", "/") if refusal.field else "")
    status = 400 if refusal.code == "json_invalid" else 422
    error = FieldError(refusal.code, refusal.detail, pointer=pointer)
    return Problem(status, refusal.code, refusal.detail, errors=[error])
