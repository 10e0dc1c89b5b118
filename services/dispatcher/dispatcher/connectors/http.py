"""A generic operator over HTTP: one request a part, made from a template; reports come back by HTTP too.

The template is the operator's `url`, `headers` and `body` with `{number}`, `{sender}`, `{text}`, `{hex}` (user data in
hex), `{id}`, `{part}`, `{parts}` and `{validity_s}`: percent-encoded in the URL, JSON-escaped in a JSON body, as they
are elsewhere. docs/operators.md shows examples.
"""

import asyncio
import json
import re
from collections.abc import Callable
from urllib.parse import quote

import aiohttp
import structlog

from dispatcher.connectors.port import Answer, OnAnswer, OutgoingPart
from dispatcher.domain.operators import Operator

log = structlog.get_logger(__name__)

_MOST_ANSWER_BYTES = 65_536
_TOO_FAST = 429
_SERVER_ERRORS = 500


class HttpConnector:
    """See `connectors.port.Connector`. `window` requests are under way at once."""

    def __init__(self, operator: Operator) -> None:
        assert operator.url is not None
        self._operator = operator
        self._url = operator.url
        self._session: aiohttp.ClientSession | None = None
        self._under_way: dict[asyncio.Task[None], OnAnswer] = {}
        self._held = 0
        self.on_room: Callable[[], None] = lambda: None

    async def hold(self, numbers: set[int], grace_s: float) -> None:
        """One session, whatever the number of binds: each stands for a window's worth of requests."""
        self._held = len(numbers)
        if self._held and self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._operator.answer_timeout_s),
                connector=aiohttp.TCPConnector(limit=self._operator.window * self._operator.binds),
            )
            self.on_room()
        elif not self._held and self._session is not None:
            if self._under_way:
                await asyncio.wait(self._under_way, timeout=grace_s)
            for task in list(self._under_way):
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)
            await self._session.close()
            self._session = None

    def room(self) -> int:
        """Requests that may be made now."""
        return max(self.window() - len(self._under_way), 0)

    def window(self) -> int:
        """Requests at once."""
        return self._operator.window * self._held

    def binds_up(self) -> int:
        """As many as are held: there is nothing to keep open."""
        return self._held

    def submit(self, part: OutgoingPart, on_answer: OnAnswer) -> None:
        """Make the request."""
        task = asyncio.create_task(self._request(part, on_answer))
        self._under_way[task] = on_answer
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.pop(task, None)
        self.on_room()

    async def _request(self, part: OutgoingPart, on_answer: OnAnswer) -> None:
        answer = Answer("unanswered")
        try:
            answer = await self._ask(part)
        except aiohttp.ClientConnectorError as error:  # it never left
            answer = Answer("temporary", detail=str(error))
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("http_operator.unanswered", operator=self._operator.name, error=repr(error))
        finally:
            on_answer(answer)

    async def _ask(self, part: OutgoingPart) -> Answer:
        assert self._session is not None
        values = _values(part)
        url = _fill(self._url, values, lambda value: quote(value, safe=""))
        headers = {name: _fill(text, values, _one_line) for name, text in self._operator.headers.items()}
        body = None
        if self._operator.body is not None:
            is_json = self._operator.body.lstrip().startswith(("{", "["))
            body = _fill(self._operator.body, values, _json_inside if is_json else str)
            headers.setdefault("Content-Type", "application/json" if is_json else "text/plain; charset=utf-8")
        async with self._session.request(
            self._operator.method, url, data=body, headers=headers, allow_redirects=False
        ) as response:
            text = (await response.content.read(_MOST_ANSWER_BYTES)).decode("utf-8", "replace")
            return self._read(response.status, text)

    def _read(self, status: int, text: str) -> Answer:
        if 200 <= status < 300:
            found = re.search(self._operator.ref_pattern, text)
            return Answer("taken", ref=found[1] if found else None)
        if status == _TOO_FAST:
            return Answer("throttled", detail=text[:200])
        if status >= _SERVER_ERRORS:
            return Answer("temporary", detail=f"HTTP {status}: {text[:200]}")
        code = self._operator.errors.get(str(status), "operator_refused")
        return Answer("refused", code=code, detail=f"HTTP {status}: {text[:200]}")


def _values(part: OutgoingPart) -> dict[str, str]:
    return {
        "number": part.message.number,
        "sender": part.message.sender,
        "text": part.text or "",
        "hex": part.payload.user_data.hex(),
        "id": str(part.message.id),
        "part": str(part.place),
        "parts": str(part.message.parts),
        "validity_s": str(part.expires_in_s),
    }


def _fill(template: str, values: dict[str, str], escape: Callable[[str], str]) -> str:
    """Replace `{name}` where the name is known; every other brace stays as it is (JSON is full of them)."""
    return re.sub(r"\{(\w+)\}", lambda found: escape(values[found[1]]) if found[1] in values else found[0], template)


def _json_inside(value: str) -> str:
    return json.dumps(value)[1:-1]


def _one_line(value: str) -> str:
    return re.sub(r"[\r\n\0]", " ", value)
