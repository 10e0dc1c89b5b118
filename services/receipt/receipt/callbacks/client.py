"""A bare HTTP/1.1 client for callbacks: one request at a time on a kept connection, no task and no future a call.

A general client costs three times more CPU a call than this needs; here only the status, `Retry-After` and whether
the connection stays matter. The answer's body is read and forgotten, up to a limit.
"""

import asyncio
import email.utils
import re
import socket
import ssl
import time
from collections.abc import Callable
from typing import NamedTuple, cast

import httptools

from receipt.callbacks.addresses import is_public
from receipt.callbacks.targets import Origin

ATTEMPT_S = 20.0
_CONNECT_S = 10.0
_MAX_BODY_BYTES = 65_536
_SECONDS = re.compile(rb"[0-9]{1,9}")


class Outcome(NamedTuple):
    """What became of one attempt. `status` is 0 when there was no answer, and `error` says why."""

    status: int
    error: str = ""
    retry_after_s: float | None = None
    took_ms: int = 0

    @property
    def ok(self) -> bool:
        """2xx, and nothing else, is success."""
        return 200 <= self.status < 300


class RefusedAddressError(OSError):
    """The host's name leads to an address that callbacks may not go to."""


Finished = Callable[["Connection", Outcome], None]


class Connection(asyncio.Protocol):
    """One kept connection. `finished` is called once for each `send`, and `closed` once when it is over."""

    def __init__(self, closed: Callable[["Connection"], None]) -> None:
        self._closed = closed
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._finished: Finished | None = None
        self._now_s = asyncio.get_running_loop().time
        self.sent_s = 0.0
        self.requests = 0
        self._heard = False
        self._complete = False
        self._stays = False
        self._body_bytes = 0
        self._retry_after_s: float | None = None

    def send(self, request: bytes, finished: Finished) -> None:
        """Send a request; the connection must be idle."""
        assert self._transport is not None
        self._finished = finished
        self.sent_s = self._now_s()
        self.requests += 1
        self._heard = False
        self._complete = False
        self._body_bytes = 0
        self._retry_after_s = None
        self._transport.write(request)

    @property
    def is_open(self) -> bool:
        """Whether a request can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def is_stale(self) -> bool:
        """It was used before and ended without a word on the present request: the server had let it go."""
        return self.requests > 1 and not self._heard

    def abort(self, error: str) -> None:
        """End at once; what is under way fails with `error`."""
        if self._transport is not None:
            self._transport.abort()
        self._finish(Outcome(0, error))

    def close(self) -> None:
        """End an idle connection."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: it is up."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its base class

    def data_received(self, data: bytes) -> None:
        """asyncio: a piece of the answer."""
        if self._finished is None:
            self.close()  # nobody asked
            return
        self._heard = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.abort(f"unreadable answer: {type(error).__name__}")
            return
        if self._complete:
            outcome = self._outcome()
            if not self._stays:
                self.close()
            self._finish(outcome)
        elif self._body_bytes > _MAX_BODY_BYTES:
            outcome = self._outcome()
            self.close()
            self._finish(outcome)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: it is over. An answer without a length ends here."""
        self._transport = None
        if self._finished is not None:
            if self._heard and self._parser_status() >= 200:
                self._finish(self._outcome())
            else:
                self._finish(Outcome(0, f"connection lost: {exc}" if exc else "connection closed without an answer"))
        self._closed(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools: one header of the answer."""
        if len(name) == 11 and name.lower() == b"retry-after":
            self._retry_after_s = retry_after_s(value)

    def on_body(self, body: bytes) -> None:
        """httptools: a piece of the body."""
        self._body_bytes += len(body)

    def on_message_complete(self) -> None:
        """httptools: the end of an answer; a 1xx is followed by the real one."""
        self._complete = self._parser.get_status_code() >= 200
        self._stays = self._parser.should_keep_alive()  # the parser forgets it with the next state

    def _parser_status(self) -> int:
        return int(self._parser.get_status_code())

    def _outcome(self) -> Outcome:
        return Outcome(self._parser_status(), "", self._retry_after_s, round((self._now_s() - self.sent_s) * 1000))

    def _finish(self, outcome: Outcome) -> None:
        finished, self._finished = self._finished, None
        if finished is not None:
            finished(self, outcome)


class Connector:
    """Opens connections: resolves the name, looks at the address, connects to that very address, then TLS."""

    def __init__(self, *, allow_private: bool, context: ssl.SSLContext | None = None) -> None:
        self._allow_private = allow_private
        self._context = context or ssl.create_default_context()

    async def connect(self, origin: Origin, closed: Callable[[Connection], None]) -> Connection:
        """Raise `OSError` (also for a refused address, TLS and time-outs) when there is no connection."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(_CONNECT_S):
            found = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
            addresses = [str(address[0]) for *_, address in found]
            allowed = [address for address in addresses if self._allow_private or is_public(address)]
            if not allowed:
                raise RefusedAddressError(f"{origin.host} is not on the public internet")
            for address in allowed[:-1]:
                try:
                    return await self._connect_to(address, origin, closed)
                except OSError:
                    continue  # the next address of the same host
            return await self._connect_to(allowed[-1], origin, closed)

    async def _connect_to(self, address: str, origin: Origin, closed: Callable[[Connection], None]) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(closed),
            address,
            origin.port,
            ssl=self._context if origin.tls else None,
            server_hostname=origin.host if origin.tls else None,
        )
        return connection


def retry_after_s(value: bytes) -> float | None:
    """`Retry-After`: seconds or an HTTP date (RFC 9110, 10.2.3); None when it is neither."""
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        return max(email.utils.parsedate_to_datetime(value.decode("latin-1")).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return None
