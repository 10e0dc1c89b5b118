"""Takes an import back, batch by batch from the last to the first: what nobody touched since is as it was before.

A contact says by its stamp which batch wrote it last, and forgets it when it is changed by hand. So a step that is
done again finds nothing more to do, and the counts are read off from what is there.
"""

from msgspec.structs import replace

from carillon.runtime.clock import Clock
from contacts.domain.contact import Contact
from contacts.domain.import_ import Import, Undone
from contacts.imports.record import Record
from contacts.store import Stores


class Undo:
    """Works on contacts and groups; the import itself is the caller's."""

    def __init__(self, stores: Stores, clock: Clock) -> None:
        self._stores = stores
        self._clock = clock

    async def batch(self, import_: Import, record: Record, undone: Undone) -> Undone:
        """Take one batch back, and count it."""
        account, contacts = import_.account, self._stores.contacts
        made = [touch.id for touch in record.touches if touch.before is None]
        changed = [touch.before for touch in record.touches if touch.before is not None]
        if made:
            await contacts.remove_stamped(account, made, record.id)
        await contacts.restore(changed, record.id, self._clock.now_ms())
        there = await contacts.by_ids(account, [*made, *(before.id for before in changed)])
        removed = sum(id_ not in there for id_ in made)
        restored = sum(_is_restored(there.get(before.id), before) for before in changed)
        return replace(
            undone,
            removed=undone.removed + removed,
            restored=undone.restored + restored,
            kept=undone.kept + len(record.touches) - removed - restored,
        )

    async def groups(self, import_: Import) -> int:
        """Delete the groups that it made and that are empty now; how many of its groups are gone."""
        gone = 0
        for group in await self._stores.groups.made_by(import_.account, import_.id):
            if group.version == 1 and await self._stores.contacts.count(import_.account, group.id) == 0:
                gone += await self._stores.groups.delete(import_.account, group.id)
        return gone


def _is_restored(found: Contact | None, before: Contact) -> bool:
    """Its values and its stamp are those of before; its version and its time of change are newer."""
    return found is not None and before == replace(found, version=before.version, changed_at=before.changed_at)
