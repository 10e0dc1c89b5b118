"""An ASGI application that is somewhere else: requests are forwarded over HTTP, both ways as they stream."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import structlog
from starlette.types import Receive, Scope, Send
from yarl import URL

from carillon.http.addresses import Networks, address_in
from carillon.http.errors import problem_response
from carillon.http.problem import Problem, retry_after

log = structlog.get_logger(__name__)

# RFC 9110, 7.6.1, and what aiohttp does itself.
HOP_BY_HOP = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization", b"te",
        b"trailer", b"transfer-encoding", b"upgrade", b"expect",
    }
)  # fmt: skip
_CONNECT_TIMEOUT_S = 5.0
# shorter than the 75 s of the services' servers, so that no request goes into a connection that is being closed
_KEEP_ALIVE_S = 30.0


class Forward:
    """A service at `url` (scheme, host and port). A part: `start` and `stop` go with the running loop."""

    def __init__(self, url: str, trusted_proxies: Networks = ()) -> None:
        self._url = url.rstrip("/")
        self._trusted_proxies = trusted_proxies
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the pool of connections."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_S),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT_S),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )

    async def stop(self) -> None:
        """Close the pool."""
        if self._session is not None:
            await self._session.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward one request and stream its answer back; 502 when nobody answers there."""
        if self._session is None:
            raise RuntimeError("a Forward must be started")
        answering = False
        try:
            async with self._session.request(
                scope["method"],
                URL(self._url + _target(scope), encoded=True),
                headers=self._request_headers(scope),
                data=_body(receive) if _has_body(scope) else None,
                allow_redirects=False,
            ) as answer:
                answering = True
                await send({"type": "http.response.start", "status": answer.status, "headers": _answer_headers(answer)})
                await _pass_on(answer, receive, send)
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("front.unreachable", url=self._url, error=type(error).__name__)
            if answering:
                raise  # half an answer went out: the server cuts the connection
            detail = "The service behind this path does not answer."
            problem = Problem(502, "unreachable", detail, headers=retry_after(1))
            await problem_response(problem)(scope, receive, send)

    def _request_headers(self, scope: Scope) -> list[tuple[str, str]]:
        """What the client sent, less what is between two machines only; plus the chain of addresses."""
        peer = scope["client"][0] if scope.get("client") else "unknown"
        chain = [peer]
        headers: list[tuple[str, str]] = []
        dropped = HOP_BY_HOP | _named_by_connection(scope["headers"])
        trusted = address_in(peer, self._trusted_proxies)
        for name, value in scope["headers"]:
            if name == b"x-forwarded-for":
                if trusted:  # from anybody else it is hearsay
                    chain.insert(-1, value.decode("latin-1"))
            elif name not in dropped:
                headers.append((name.decode("latin-1"), value.decode("latin-1")))
        headers.append(("X-Forwarded-For", ", ".join(chain)))
        return headers


def _target(scope: Scope) -> str:
    """Path and query as they came on the wire."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    return (raw + b"?" + query if query else raw).decode("latin-1")


def _has_body(scope: Scope) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") and value != b"0" for name, value in scope["headers"])


def _named_by_connection(headers: list[tuple[bytes, bytes]]) -> frozenset[bytes]:
    return frozenset(
        token.strip().lower() for name, value in headers if name == b"connection" for token in value.split(b",")
    )


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise aiohttp.ClientConnectionError("the client went away")
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body", False):
            return


def _answer_headers(answer: aiohttp.ClientResponse) -> list[tuple[bytes, bytes]]:
    raw = [(name.lower(), value) for name, value in answer.raw_headers]
    dropped = HOP_BY_HOP | _named_by_connection(raw)
    # the server in front writes its own date
    return [(name, value) for name, value in raw if name not in dropped and name not in (b"date", b"server")]


async def _pass_on(answer: aiohttp.ClientResponse, receive: Receive, send: Send) -> None:
    """Send on what arrives as it arrives. An endless answer (SSE) ends when the client goes."""
    pumping = asyncio.ensure_future(_pump(answer, send))
    if answer.content_length is not None:
        await pumping
        return
    leaving = asyncio.ensure_future(_gone(receive))
    tasks: list[asyncio.Future[Any]] = [pumping, leaving]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if pumping.done():
            pumping.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(answer: aiohttp.ClientResponse, send: Send) -> None:
    async for chunk in answer.content.iter_any():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
