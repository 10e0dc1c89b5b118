"""What the API and the page show, put together from the operator's books."""

from typing import Any

from carillon.runtime.clock import Clock, rfc3339
from carillon.sms.segments import MAX_PARTS
from simulator.domain.callback_log import Callback
from simulator.domain.fates import RULES
from simulator.domain.reading import Shown, show
from simulator.operator import Operator


class View:
    """Reads; changes nothing."""

    def __init__(self, operator: Operator, clock: Clock) -> None:
        self._operator = operator
        self._clock = clock

    def handset(self, number: str, limit: int) -> list[Shown]:
        """What a handset makes of its newest `limit` parts, newest first; a `+` before the number is forgiven."""
        handsets = self._operator.books.handsets
        received = handsets.of(number, limit) or handsets.of(number.removeprefix("+"), limit)
        return show(received, self._operator.alphabet, self._clock.now_ms())

    def handsets(self, limit: int) -> list[tuple[str, int, Shown]]:
        """Numbers, how many submits each accepted, and its newest message; the last to receive comes first."""
        books = self._operator.books.handsets
        found = []
        for number in books.numbers():
            found.append((number, books.counts.get(number, 0), self.handset(number, MAX_PARTS)[0]))
            if len(found) == limit:
                break
        return found

    def stats(self) -> dict[str, Any]:
        """Counters since the last reset, and what is under way now."""
        books, operator = self._operator.books, self._operator
        return {
            **{name: getattr(books.counters, name) for name in books.counters.__struct_fields__},
            "unique": books.counters.unique,
            "tps_peak": books.peak.value,
            "handsets": len(books.handsets),
            "receipts_planned": len(operator.reporting),
            "receipts_waiting": sum(len(outbox.waiting) for outbox in operator.outboxes.values()),
            "binds": operator.binds(),
        }


def shown_json(shown: Shown) -> dict[str, Any]:
    """A message for the API."""
    return {
        "number": shown.number,
        "sender": shown.sender,
        "text": shown.text,
        "encoding": shown.encoding,
        "parts": shown.parts,
        "parts_total": shown.parts_total,
        "status": shown.status,
        "received_at": rfc3339(shown.received_ms),
        "done_at": rfc3339(shown.done_ms),
        "system_id": shown.system_id,
        "message_ids": [str(identifier) for identifier in shown.message_ids],
        "udh": shown.udh,
    }


def callback_json(call: Callback) -> dict[str, Any]:
    """A callback for the API; `msgid` and `Status` are of its first receipt."""
    first = call.receipts[0] if call.receipts else ("", "")
    return {
        "received_at": rfc3339(call.received_ms),
        "received_ms": call.received_ms,
        "name": call.name,
        "method": call.method,
        "query": call.query,
        "content_type": call.content_type,
        "body": call.body,
        "msgid": first[0],
        "Status": first[1],
        "receipts": [{"msgid": message_id, "Status": status} for message_id, status in call.receipts],
    }


def rules_json() -> list[dict[str, str]]:
    """The endings of numbers, and what they do."""
    return [{"ending": rule.ending, "meaning": rule.meaning} for rule in RULES]
