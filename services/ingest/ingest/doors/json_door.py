"""The JSON door: from the body of a request to its answer. The HTTP around it is in `ingest.api`."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec.structs import replace
from starlette.responses import Response

from carillon.events.account import AccountChanged
from carillon.events.base import LANES
from carillon.events.message import Accepted, Deferred
from carillon.http.idempotency import Answer, Idempotency, fingerprint
from carillon.http.principal import Principal
from carillon.http.problem import FieldError, Problem
from carillon.runtime.clock import Clock
from carillon.telemetry import metrics, traces
from ingest.acceptance import Acceptance, Ids
from ingest.domain.order import recipient_of
from ingest.domain.quote import quote_of
from ingest.domain.refusal import Refusal
from ingest.domain.suppressed import Suppressed, refusal_of
from ingest.doors.json_reading import Outcome, decide, read_quote
from ingest.till import Till

PATH: Final = "/v1/messages"
QUOTE_PATH: Final = "/v1/messages/quote"

_STATUS: Final = {"json_invalid": 400, "credit_exhausted": 402}


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

    def __init__(
        self,
        acceptance: Acceptance,
        till: Till,
        idempotency: Idempotency,
        ids: Ids,
        clock: Clock,
        *,
        suppressed: Suppressed,
    ) -> None:
        self._suppressed = suppressed
        self._acceptance = acceptance
        self._till = till
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
            # asked here and not before: a message that was taken keeps its answer, whatever its number said since
            judged = [self._judge(outcome) for outcome in outcomes]
            await self._take(principal.account, judged, ids)
            if not is_batch and isinstance(judged[0], Refusal):
                raise _problem(judged[0])
            return _answer(judged, is_batch=is_batch)

        response = await self._idempotency.run(
            account=principal.account_id,
            key=idempotency_key,
            fingerprint=fingerprint("POST", PATH, body) if idempotency_key is not None else "",
            reserve=lambda: self._ids.block(len(outcomes)),
            work=work,
        )
        metrics.record_request("json", "accepted")
        return response

    def quote(self, principal: Principal, body: bytes) -> bytes:
        """The quote, as JSON; `Problem` for what could not be sent."""
        try:
            asked = read_quote(body)
            quote = quote_of(asked)
            if asked.to is not None:
                number = recipient_of(asked.to, principal.account.country)
                quote = replace(
                    quote, price_micros=self._till.price(principal.account, number, quote.parts, self._clock.now_ms())
                )
            return msgspec.json.encode(quote)
        except Refusal as refusal:
            raise _problem(refusal) from None

    def _judge(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Refusal):
            return outcome
        message = outcome.message if isinstance(outcome, Deferred) else outcome
        return refusal_of(message, self._suppressed, "to") or outcome

    async def _take(self, account: AccountChanged, outcomes: list[Outcome], ids: Sequence[int]) -> None:
        """A message's id is that of its place, so a retry gives each the id that it had.

        What cannot be paid becomes a refusal in its place.
        """
        trace = traces.current_traceparent()
        messages: list[Accepted] = []
        later: list[Deferred] = []
        try:
            for place, outcome in enumerate(outcomes):
                if isinstance(outcome, Deferred):
                    message = outcome.message
                    message.id = ids[place]
                    message.trace = trace
                    try:
                        self._till.book(account, message, outcome.send_at)
                    except Refusal as refusal:
                        outcomes[place] = refusal
                    else:
                        later.append(outcome)
                elif isinstance(outcome, Accepted):
                    outcome.id = ids[place]
                    outcome.trace = trace
                    try:
                        await self._till.charge(account, outcome)
                    except Refusal as refusal:
                        outcomes[place] = refusal
                    else:
                        messages.append(outcome)
            if later:
                await self._acceptance.defer(later)
            if len(messages) == 1:
                await self._acceptance.accept(messages[0])
            else:
                await self._acceptance.accept_batch(messages)
        finally:
            self._till.close(messages)
        for lane in LANES:
            count = sum(message.lane == lane for message in (*messages, *(deferred.message for deferred in later)))
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
    status = _STATUS.get(refusal.code, 422)
    error = FieldError(refusal.code, refusal.detail, pointer=pointer)
    return Problem(status, refusal.code, refusal.detail, errors=[error])
