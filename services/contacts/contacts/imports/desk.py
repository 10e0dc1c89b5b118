"""What people ask of an import: to see it, to start it after a dry run, to take it back, to delete it."""

from collections.abc import Callable

from msgspec.structs import replace

from carillon.runtime.clock import Clock
from contacts.domain.errors import ConflictError, UnknownError
from contacts.domain.import_ import Import, Undone
from contacts.store import Stores
from contacts.store.batches import KEEP_MS as UNDO_MS
from contacts.store.chunks import KEEP_MS as FILE_MS
from contacts.views import ImportView

_ATTEMPTS = 20


class Desk:
    """Changes by request; the work itself is the worker's."""

    def __init__(self, stores: Stores, clock: Clock) -> None:
        self._stores = stores
        self._clock = clock

    async def find(self, account: str, id_: str) -> Import | None:
        """The import, if the account has it."""
        kept = await self._stores.imports.find(account, id_)
        return kept.import_ if kept is not None else None

    async def get(self, account: str, id_: str) -> Import:
        """UnknownError when there is none."""
        import_ = await self.find(account, id_)
        if import_ is None:
            raise UnknownError("import_unknown", "there is no such import")
        return import_

    async def view(self, import_: Import) -> ImportView:
        """As it is shown."""
        makes_groups = import_.kind == "contacts" and not import_.dry_run
        groups = await self._stores.groups.made_by(import_.account, import_.id) if makes_groups else []
        return ImportView.of(import_, groups)

    async def start(self, account: str, id_: str) -> Import:
        """A dry run is over and now it is meant: from the first row."""
        import_ = await self.get(account, id_)
        if import_.dry_run and import_.state == "finished":
            await self._stores.batches.remove(id_)  # nothing was done by them
        return await self._change(account, id_, self._started)

    async def undo(self, account: str, id_: str) -> Import:
        """Take it back."""
        return await self._change(account, id_, self._undoing)

    async def delete(self, account: str, id_: str) -> None:
        """Nothing stays of it but the contacts."""
        import_ = await self.get(account, id_)
        if import_.state in ("uploading", "running", "undoing"):
            raise ConflictError("import_busy", f"it is {import_.state}: wait until it has ended")
        await self._stores.imports.remove(id_)
        await self._stores.chunks.remove(id_)
        await self._stores.batches.remove(id_)
        await self._stores.file_rows.remove(id_)

    async def _change(self, account: str, id_: str, change: Callable[[Import], Import]) -> Import:
        for _ in range(_ATTEMPTS):
            kept = await self._stores.imports.find(account, id_)
            if kept is None:
                raise UnknownError("import_unknown", "there is no such import")
            saved = await self._stores.imports.save(kept, change(kept.import_))
            if saved is not None:
                return saved.import_
        raise ConflictError("busy", "it is being changed by many at once: try again")

    def _started(self, import_: Import) -> Import:
        if not import_.dry_run or import_.state != "finished":
            raise ConflictError("import_not_tried", "only a dry run that has finished can be started")
        if self._clock.now_ms() - import_.created_at > FILE_MS:
            raise ConflictError("import_expired", "its file is not kept any more: upload it again")
        return replace(import_, dry_run=False, state="queued", batches=0, offset=0, line=1, preview=[], ended_at=None)

    def _undoing(self, import_: Import) -> Import:
        if import_.kind != "contacts" or import_.dry_run or import_.state not in ("finished", "failed"):
            raise ConflictError("import_not_undoable", "only an import of contacts that has ended can be undone")
        if self._clock.now_ms() - import_.created_at > UNDO_MS:
            raise ConflictError("undo_expired", "what it did is not known any more: it was too long ago")
        return replace(import_, state="undoing", undo_left=import_.batches, undone=Undone(), ended_at=None)
