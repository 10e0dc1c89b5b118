"""An upload becomes a stored file and a waiting import; or nothing, when it breaks off or is refused."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from carillon.http.idempotency import KEEP_MS
from carillon.http.problem import Problem, retry_after
from carillon.runtime.clock import Clock
from carillon.runtime.ids import new_id
from contacts.domain.import_ import Import, Kind
from contacts.imports.intake import Intake
from contacts.reading.encoding import Encoding
from contacts.store import Stores
from contacts.store.chunks import ChunkWriter
from contacts.store.imports import Kept

_ALIVE_MS: Final = 5_000
_DEAD_MS: Final = 20_000
_ABANDONED_MS: Final = 3_600_000


class Options(Struct, frozen=True, kw_only=True):
    """What comes with a file. `encoding` and `separator` None: they are recognised."""

    kind: Kind = "contacts"
    dry_run: bool = False
    group: str = ""
    country: str = "FR"
    file_name: str = ""
    encoding: Encoding | None = None
    separator: str | None = None


class Uploads:
    """Stores what is sent, in pieces, as it comes."""

    def __init__(self, stores: Stores, clock: Clock) -> None:
        self._stores = stores
        self._clock = clock

    async def receive(
        self, account: str, options: Options, key: str | None, data: AsyncIterator[bytes]
    ) -> tuple[Import, bool]:
        """The import, and whether it was there already: sent before with the same Idempotency-Key.

        InvalidError for a file that is none of ours; `Problem` 409 while another upload has this key, 422 when it had
        another file.
        """
        now_ms = self._clock.now_ms()
        import_ = Import(
            id=new_id("imp"), account=account, kind=options.kind, dry_run=options.dry_run, group=options.group,
            country=options.country, file_name=options.file_name, separator=options.separator, key=key,
            created_at=now_ms,
        )  # fmt: skip
        kept = await self._stores.imports.add(import_, now_ms)
        while kept is None:
            assert key is not None
            there = await self._stores.imports.by_key(account, key)
            if there is not None and not await self._make_way(there, now_ms):
                await _check_same(there.import_, data)
                return there.import_, True
            kept = await self._stores.imports.add(import_, now_ms)
        try:
            return await self._store(kept, options, data), False
        except BaseException:
            await asyncio.gather(self.discard(import_.id), return_exceptions=True)
            raise

    async def discard(self, id_: str) -> None:
        """Nothing stays of it."""
        await self._stores.chunks.remove(id_)
        await self._stores.imports.remove(id_)

    async def sweep(self) -> None:
        """Uploads that broke off with the process that took them."""
        for id_ in await self._stores.imports.abandoned(self._clock.now_ms() - _ABANDONED_MS):
            await self.discard(id_)

    async def _store(self, kept: Kept, options: Options, data: AsyncIterator[bytes]) -> Import:
        id_ = kept.import_.id
        intake = Intake()
        writer = ChunkWriter(self._stores.chunks, id_, "raw", self._clock.now_ms())
        told_ms = self._clock.now_ms()
        async for piece in data:
            await writer.write(intake.take(piece))
            if self._clock.now_ms() - told_ms > _ALIVE_MS:
                told_ms = self._clock.now_ms()
                await self._stores.imports.alive(id_, told_ms)
        await writer.write(intake.finish())
        await writer.close()
        import_ = replace(
            kept.import_,
            state="queued",
            format=intake.format,
            encoding=options.encoding or intake.encoding,
            size_bytes=intake.size_bytes,
            part_bytes=writer.size_bytes,
            sha256=intake.sha256,
        )
        saved = await self._stores.imports.save(kept, import_)
        if saved is None:
            raise Problem(409, "upload_lost", "This upload took so long that it was given up; send it again.")
        return import_

    async def _make_way(self, there: Kept, now_ms: int) -> bool:
        """Whether the key is free again: its day is over, or its upload died with the process that took it."""
        if there.import_.state == "uploading":
            if now_ms - there.alive_at < _DEAD_MS:
                detail = "The first upload with this key is still under way."
                raise Problem(409, "idempotency_in_progress", detail, headers=retry_after(_DEAD_MS / 1000))
            await self.discard(there.import_.id)
            return True
        if now_ms - there.import_.created_at < KEEP_MS:
            return False
        await self._stores.imports.save(there, replace(there.import_, key=None))
        return True


async def _check_same(import_: Import, data: AsyncIterator[bytes]) -> None:
    digest = hashlib.sha256()
    async for piece in data:
        digest.update(piece)
    if digest.hexdigest() != import_.sha256:
        raise Problem(422, "idempotency_key_reused", "This Idempotency-Key came with another file before.")
