"""The callbacks that came, and what they say about which message."""

import itertools
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from defusedxml import ElementTree
from msgspec import Struct

KEPT_BODY_BYTES = 2_000
MAX_MESSAGES = 200_000
MAX_NAMES = 1_000

Receipt = tuple[str, str]
"""msgid and Status, or the status word of a JSON form."""


class Callback(Struct, gc=False):
    """One call. `body` is its first 2,000 octets, read as UTF-8; `receipts` are all that it tells."""

    received_ms: int
    name: str
    method: str
    query: str
    content_type: str
    body: str
    receipts: tuple[Receipt, ...]


class CallbackLog:
    """Keeps the newest `kept` calls, the statuses of the newest 200,000 messages in the order in which they came, and
    counts everything."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self._calls: deque[Callback] = deque(maxlen=self._kept)
        self.statuses: dict[str, tuple[str, ...]] = {}
        self.count = 0
        self.receipts = 0
        self.by_status: Counter[str] = Counter()
        self.by_name: Counter[str] = Counter()
        self.repeated = 0

    def add(self, callback: Callback) -> None:
        """One more call."""
        self.count += 1
        self._calls.append(callback)
        if callback.name in self.by_name or len(self.by_name) < MAX_NAMES:
            self.by_name[callback.name] += 1
        for message_id, status in callback.receipts:
            self.receipts += 1
            self.by_status[status] += 1
            before = self.statuses.pop(message_id, ())
            self.repeated += status in before
            self.statuses[message_id] = (*before[-9:], status)
        while len(self.statuses) > MAX_MESSAGES:
            del self.statuses[next(iter(self.statuses))]

    def newest(self, limit: int, message_id: str | None = None, name: str | None = None) -> list[Callback]:
        """The newest calls first, those about one message or of one name."""
        wanted = (
            call
            for call in reversed(self._calls)
            if (name is None or call.name == name)
            and (message_id is None or any(message_id == receipt[0] for receipt in call.receipts))
        )
        return list(itertools.islice(wanted, limit))


def read_receipts(query: str, content_type: str, body: bytes) -> tuple[Receipt, ...]:
    """What a callback tells, in any of its forms: query, xml, json, json-batch; nothing if it is none of them."""
    parameters = {name.lower(): value for name, value in parse_qsl(query)}
    if "msgid" in parameters:
        return ((parameters["msgid"], parameters.get("status", "")),)
    try:
        if "json" in content_type:
            return tuple(_json_receipts(msgspec.json.decode(body)))
        if "xml" in content_type:
            return _xml_receipt(body)
    except (ValueError, SyntaxError):  # a client's body, not ours
        return ()
    return ()


def _json_receipts(document: Any) -> Iterator[Receipt]:
    data = document.get("data") if isinstance(document, dict) else document
    for item in data if isinstance(data, list) else [data]:
        if isinstance(item, dict):
            message_id = _first(item, ("msgid", "message_id", "id"))
            if message_id:
                yield message_id, _first(item, ("Status", "status", "state"))


def _first(item: dict[str, Any], names: Iterable[str]) -> str:
    return next((str(item[name]) for name in names if name in item), "")


def _xml_receipt(body: bytes) -> tuple[Receipt, ...]:
    root = ElementTree.fromstring(body, forbid_dtd=True)
    words = {child.tag.lower(): (child.text or "").strip() for child in root}
    return ((words["msgid"], words.get("status", "")),) if "msgid" in words else ()
