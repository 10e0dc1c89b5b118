"""Where the rows of a file go: to the contacts, or, for an audience and a dry run, to rows of the file's own.

Both take a record, which was decided and written down before, and bring about what it says; again and again if need
be, with the same end.
"""

from collections.abc import Sequence
from typing import Protocol

from carillon.runtime.ids import new_id
from contacts.domain.batch import Touch, made
from contacts.domain.contact import Contact, taught
from contacts.domain.import_ import Import
from contacts.imports.record import Record
from contacts.store import Stores
from contacts.store.contacts import next_version

_ATTEMPTS = 10


class Target(Protocol):
    """One kind of destination."""

    async def known(self, import_: Import, numbers: Sequence[str]) -> dict[str, Contact]:
        """What exists of these numbers."""
        ...

    async def apply(self, import_: Import, record: Record, now_ms: int) -> Record:
        """Do it; the record as it then is."""
        ...


class ContactsTarget:
    """The account's contacts."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def known(self, import_: Import, numbers: Sequence[str]) -> dict[str, Contact]:
        """Contacts of the account."""
        return await self._stores.contacts.by_numbers(import_.account, numbers)

    async def apply(self, import_: Import, record: Record, now_ms: int) -> Record:
        """Insert and update. Where a contact is no longer as it was decided on, that one is decided anew."""
        for _ in range(_ATTEMPTS):
            collided = await self._write(import_.account, record, now_ms)
            if not collided:
                return record
            record = await self._decide_again(import_.account, record, collided)
            await self._stores.batches.change(record)
        raise TimeoutError("contacts change faster than they can be imported")

    async def _write(self, account: str, record: Record, now_ms: int) -> list[Touch]:
        """Do what is not done yet; the touches that did not fit."""
        stamp = record.id
        new = [made(touch, account, stamp, now_ms) for touch in record.touches if touch.before is None]
        doubtful = set(await self._stores.contacts.insert_new(new))
        changes = [
            next_version(taught(touch.before, touch.said), now_ms, stamp)
            for touch in record.touches
            if touch.before is not None
        ]
        if await self._stores.contacts.replace_all(changes) < len(changes):
            doubtful |= {contact.id for contact in changes}
        if not doubtful:
            return []
        there = await self._stores.contacts.by_ids(account, doubtful)
        return [
            touch
            for touch in record.touches
            if touch.id in doubtful and not ((found := there.get(touch.id)) and _is_done(found, touch, stamp))
        ]

    async def _decide_again(self, account: str, record: Record, collided: list[Touch]) -> Record:
        there = await self._stores.contacts.by_numbers(account, [touch.said.number for touch in collided])
        wrong = {touch.id for touch in collided}
        touches: list[Touch] = []
        updated_instead = 0
        for touch in record.touches:
            if touch.id not in wrong:
                touches.append(touch)
                continue
            found = there.get(touch.said.number)
            updated_instead += (found is not None) - (touch.before is not None)
            touches.append(Touch(found.id if found else new_id("ctc"), touch.said, found))
        return record.with_changed(touches, updated_instead)


class FileTarget:
    """Rows of the file alone. A dry run sees the account's contacts behind them; an audience sees nothing else."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def known(self, import_: Import, numbers: Sequence[str]) -> dict[str, Contact]:
        """What the file said before, and what contacts there are."""
        rows = await self._stores.file_rows.by_numbers(import_.id, numbers)
        if import_.kind == "audience":
            return rows
        return await self._stores.contacts.by_numbers(import_.account, numbers) | rows

    async def apply(self, import_: Import, record: Record, now_ms: int) -> Record:
        """Nobody else writes here, so there is nothing to collide with."""
        states = [
            made(touch, import_.account, record.id, now_ms)
            if touch.before is None
            else next_version(taught(touch.before, touch.said), now_ms, record.id)
            for touch in record.touches
        ]
        await self._stores.file_rows.put(import_.id, states)
        return record


def _is_done(found: Contact, touch: Touch, stamp: str) -> bool:
    """Whether a contact that refused a write has it already, from an attempt before.

    An id that was made for this touch is used by nobody else. A contact that was changed by hand since is taught
    again: that can only repeat what the file says.
    """
    return touch.before is None or found.stamp == stamp
