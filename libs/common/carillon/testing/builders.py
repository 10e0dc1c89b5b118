"""Records as tests need them: everything has a sensible value, what matters is given."""

import itertools
from typing import Any

from carillon.events.account import AccountChanged, ApiKey, Callback, Door
from carillon.events.message import Accepted
from carillon.testing.clock import START_MS

_ids = itertools.count((START_MS - 1_735_689_600_000) << 22)


def an_accepted(**fields: Any) -> Accepted:
    """An accepted message with an id of its own."""
    values: dict[str, Any] = {
        "id": next(_ids),
        "account": "acc_1",
        "number": "33612345678",
        "sender": "Carillon",
        "lane": "bulk",
        "encoding": "gsm",
        "parts": 1,
        "text": "Hello",
        "accepted_at": START_MS,
    }
    return Accepted(**{**values, **fields})


def an_account(**fields: Any) -> AccountChanged:
    """An active account with an open door `test` and a callback URL."""
    values: dict[str, Any] = {
        "id": "acc_1",
        "version": 1,
        "name": "Test",
        "doors": [Door(name="test")],
        "api_keys": [ApiKey(id="key_1", hash="00" * 32, scopes=["messages"])],
        "callback": Callback(url="http://127.0.0.1:1/receipts"),
    }
    return AccountChanged(**{**values, **fields})
