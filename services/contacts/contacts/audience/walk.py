"""Goes through an audience in the order of its numbers, from any number on, each number once.

The union of everyone, groups, numbers and a file, less the members of `minus_groups`. `attributes` choose among
contacts: among everyone's or the groups', and alone among all; numbers that were typed in or come from a file are in
it whatever they are. Each source is read in its own order by an index, so a page costs the same wherever it is.
"""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator
from typing import NamedTuple

from carillon.events.audience import Audience
from contacts.domain.contact import Contact
from contacts.domain.merging import Read, next_numbers
from contacts.store import Stores
from contacts.store.contacts import Filter

_MERGED = 100  # groups whose index ranges MongoDB merges in the order of numbers (it does so up to 200)


class Person(NamedTuple):
    """A number of an audience, with what is known of it."""

    number: str
    contact: Contact | None
    row: Contact | None  # what the file says of it


class Walk:
    """One audience of one account."""

    def __init__(self, stores: Stores, account: str, audience: Audience) -> None:
        self._stores = stores
        self._account = account
        self._typed = sorted(set(audience.numbers))
        self._file = audience.file
        self._minus = frozenset(audience.minus_groups)
        self._filters = _filters(audience)

    async def people(self, after: str, size: int) -> AsyncIterator[list[Person]]:
        """Lists of up to about `size`, none empty; who has left a group meanwhile is not in them."""
        filters = await self._existing()
        file = await self._own_file()
        more = True
        while more:
            found: dict[str, Contact] = {}
            rows: dict[str, Contact] = {}
            reads = await asyncio.gather(
                *(self._read_contacts(one, after, size, found) for one in filters),
                self._read_file(file, after, size, rows),
            )
            numbers, more = next_numbers([*reads, self._read_typed(after, size)])
            if not numbers:
                return
            after = numbers[-1]
            unseen = [number for number in numbers if number not in found]
            if unseen:
                found |= await self._stores.contacts.by_numbers(self._account, unseen)
            people = [
                Person(number, contact, rows.get(number))
                for number in numbers
                if (contact := found.get(number)) is None or self._minus.isdisjoint(contact.groups)
            ]
            if people:
                yield people

    async def _existing(self) -> list[Filter]:
        """A group that was deleted has no members, even while they are still leaving it."""
        wanted = [group for one in self._filters for group in one.groups or ()]
        if not wanted:
            return self._filters
        exist = await self._stores.groups.by_ids(self._account, wanted)
        left = [group for group in wanted if group in exist]
        return [self._filters[0]._replace(groups=left[at : at + _MERGED]) for at in range(0, len(left), _MERGED)]

    async def _own_file(self) -> str | None:
        """The file, if it is this account's and is an audience; else it is as good as empty."""
        kept = await self._stores.imports.find(self._account, self._file) if self._file else None
        return self._file if kept is not None and kept.import_.kind == "audience" else None

    async def _read_contacts(self, wanted: Filter, after: str, size: int, found: dict[str, Contact]) -> Read:
        page = await self._stores.contacts.page(self._account, wanted, after, size)
        found.update((contact.number, contact) for contact in page)
        return Read([contact.number for contact in page], len(page) == size)

    async def _read_file(self, file: str | None, after: str, size: int, rows: dict[str, Contact]) -> Read:
        if file is None:
            return Read([], False)
        page = await self._stores.file_rows.page(file, after, size)
        rows.update((row.number, row) for row in page)
        return Read([row.number for row in page], len(page) == size)

    def _read_typed(self, after: str, size: int) -> Read:
        begin = bisect_right(self._typed, after)
        return Read(self._typed[begin : begin + size], len(self._typed) > begin + size)


def _filters(audience: Audience) -> list[Filter]:
    """All groups in one, for MongoDB to merge."""
    if audience.everyone or (audience.attributes and not audience.groups):
        return [Filter(None, audience.attributes)]
    return [Filter(list(dict.fromkeys(audience.groups)), audience.attributes)] if audience.groups else []
