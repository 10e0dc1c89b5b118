"""The legacy push door: `GET|POST /Ext/<door>.asp`, a plain ASGI application because every push goes through it.

Always status 200, one line, no line end: the id, or the first KO that applies; the header `Carillon-Reason` names the
precise code. Overload is status 503 with `Retry-After`, never a KO.
"""

import re
from collections.abc import Mapping
from typing import Final, Protocol

from starlette.types import Receive, Scope, Send

from carillon.events.account import AccountChanged, Door
from carillon.events.message import Accepted
from carillon.http.addresses import Networks, client_address
from carillon.http.doors import authorise_door, basic_credentials
from carillon.http.passwords import PasswordVerifier
from carillon.http.problem import Problem, not_found
from carillon.runtime.clock import Clock
from carillon.telemetry import metrics, traces
from ingest.acceptance import BUSY_ERRORS, RETRY_AFTER_S, Acceptance, Ids, busy_code
from ingest.domain.legacy_answer import ko_line
from ingest.domain.push import PARAMETERS, draft_of
from ingest.domain.refusal import Refusal
from ingest.domain.suppressed import Suppressed, refusal_of
from ingest.doors.form import decode_form
from ingest.doors.push_body import MAX_BODY_BYTES, gather, read_push
from ingest.store.refs import Claim
from ingest.till import Till

PREFIX: Final = "/Ext/"

_PATH: Final = re.compile(r"/ext/(.*)\.asp", re.IGNORECASE | re.DOTALL)
_NAMES: Final = {name.encode(): name for name in PARAMETERS}
_PLAIN: Final = (b"content-type", b"text/plain")
_NO_STORE: Final = (b"cache-control", b"no-store")  # a GET that must never be answered from a cache
_CLOSE: Final = (b"connection", b"close")
_RETRY_AFTER: Final = (b"retry-after", str(RETRY_AFTER_S).encode())
_UNAUTHORISED: Final = "not_authorised"
_TOO_LARGE: Final = "body_too_large"


class Doors(Protocol):
    """Where doors are known."""

    def by_door(self, name: str) -> tuple[AccountChanged, Door] | None:
        """The door of that (lower case) name, with its account."""
        ...


class References(Protocol):
    """Where it is remembered which id a client's own reference got; see `ingest.store.refs.Refs`."""

    async def settle(self, account: str, ref: str, message: int) -> Claim:
        """Claim the reference for an id, or learn which id has it."""
        ...

    def mark_said(self, claim: Claim) -> None:
        """Note that the broker has the message."""
        ...


class LegacyDoor:
    """Answers every request below `PREFIX`."""

    def __init__(
        self,
        doors: Doors,
        verifier: PasswordVerifier,
        acceptance: Acceptance,
        till: Till,
        refs: References,
        ids: Ids,
        clock: Clock,
        *,
        suppressed: Suppressed,
        trusted_proxies: Networks = (),
    ) -> None:
        self._doors = doors
        self._verifier = verifier
        self._acceptance = acceptance
        self._till = till
        self._refs = refs
        self._ids = ids
        self._clock = clock
        self._suppressed = suppressed
        self._trusted_proxies = trusted_proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; `Problem` for what is no push at all."""
        path = _PATH.fullmatch(scope["path"])
        if path is None:
            raise not_found()
        if scope["method"] not in ("GET", "POST"):
            raise Problem(405, "method_not_allowed", headers={"Allow": "GET, POST"})
        try:
            message_id = await self._push(path[1].lower(), scope, receive)
        except Refusal as refusal:
            metrics.record_request("legacy", "unauthorised" if refusal.code == _UNAUTHORISED else "rejected")
            reason = (b"carillon-reason", refusal.code.encode())
            # what is left of a body that is too large is not read: the connection ends with the answer
            more = (reason, _CLOSE) if refusal.code == _TOO_LARGE else (reason,)
            await _answer(send, 200, ko_line(refusal.code), *more)
        except BUSY_ERRORS as error:
            await _answer_busy(send, busy_code(error))
        except Problem as problem:  # passwords cannot be verified just now
            await _answer_busy(send, problem.code)
        else:
            metrics.record_request("legacy", "accepted")
            await _answer(send, 200, str(message_id))

    async def _push(self, name: str, scope: Scope, receive: Receive) -> int:
        """The id of an accepted push. Who may not push learns nothing about what else is wrong with it."""
        parameters: Mapping[str, str] = {}
        unreadable: Refusal | None = None
        try:
            parameters = await _parameters(scope, receive)
        except Refusal as refusal:
            unreadable = refusal
        account, door = await self._authorised(name, scope, parameters)
        if unreadable is not None:
            raise unreadable
        message = draft_of(parameters, account, door, self._clock.now_ms())
        suppressed = refusal_of(message, self._suppressed, "number")
        if suppressed is not None:
            raise suppressed
        message.trace = traces.current_traceparent()
        message.id = self._ids.next()
        await self._promise(account, message)
        return message.id

    async def _authorised(self, name: str, scope: Scope, parameters: Mapping[str, str]) -> tuple[AccountChanged, Door]:
        found = self._doors.by_door(name)
        if found is not None and found[0].state != "closed":
            address = client_address(scope, self._trusted_proxies)
            login, password = parameters.get("login"), parameters.get("password")
            if not login and not password:
                login, password = basic_credentials(_header(scope, b"authorization")) or (None, None)
            if await authorise_door(found[1], address, login, password, self._verifier):
                return found
        raise Refusal(_UNAUTHORISED, "unknown door, address or credentials")

    async def _promise(self, account: AccountChanged, message: Accepted) -> None:
        """Return when the broker has the message. Its own reference decides its id, for 24 h."""
        if message.client_ref is None:
            await self._accept(account, message)
        else:
            claim = await self._refs.settle(message.account, message.client_ref, message.id)
            message.id = claim.message
            if claim.said:
                return
            await self._accept(account, message)
            self._refs.mark_said(claim)
        metrics.record_accepted("legacy", message.lane, 1)

    async def _accept(self, account: AccountChanged, message: Accepted) -> None:
        await self._till.charge(account, message)
        try:
            await self._acceptance.accept(message)
        finally:
            self._till.close([message])


async def _parameters(scope: Scope, receive: Receive) -> Mapping[str, str]:
    """What the body says; what it leaves out, the query may say."""
    query: bytes = scope["query_string"]
    if len(query) > MAX_BODY_BYTES:
        raise Refusal(_TOO_LARGE, f"{MAX_BODY_BYTES} bytes at most")
    parameters = decode_form(query, _NAMES)
    if scope["method"] == "POST":
        body = await gather(receive, MAX_BODY_BYTES)
        parameters.update(read_push(body, _header(scope, b"content-type") or ""))
    return parameters


def _header(scope: Scope, wanted: bytes) -> str | None:
    for name, value in scope["headers"]:
        if name == wanted:
            text: str = value.decode("latin-1")
            return text
    return None


async def _answer_busy(send: Send, code: str) -> None:
    metrics.record_request("legacy", "overloaded")
    await _answer(send, 503, "busy, try again", (b"carillon-reason", code.encode()), _RETRY_AFTER)


async def _answer(send: Send, status: int, line: str, *headers: tuple[bytes, bytes]) -> None:
    body = line.encode()
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [_PLAIN, length, _NO_STORE, *headers]})
    await send({"type": "http.response.body", "body": body})
