"""Looks up who has a name, while names move from one account to another and the news of it comes in any order."""

from collections.abc import Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class Index(Generic[T]):
    """What each account claims by name. The newest claim answers; when it is given up, an older one does again.

    A name is unique where accounts are kept, but a copy may hear that B has it before it hears that A gave it up.
    """

    def __init__(self) -> None:
        self._found: dict[str, T] = {}
        self._claims: dict[str, dict[str, T]] = {}

    def get(self, name: str) -> T | None:
        """A plain dictionary read: this is asked for every message."""
        return self._found.get(name)

    def update(self, account: str, before: Mapping[str, T], now: Mapping[str, T]) -> None:
        """What `account` claimed before, and what it claims now."""
        for name in before.keys() - now.keys():
            claims = self._claims[name]
            del claims[account]
            if claims:
                self._found[name] = next(reversed(claims.values()))
            else:
                del self._claims[name], self._found[name]
        for name, value in now.items():
            claims = self._claims.setdefault(name, {})
            if name not in before:
                claims.pop(account, None)
            claims[account] = value
            self._found[name] = next(reversed(claims.values()))
