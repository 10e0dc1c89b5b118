"""Works on the imports that wait: those of one account one after the other, several accounts at once.

An account's imports are leased to one process. When it dies another one takes them over where they were.
"""

import asyncio
import time

import structlog

from carillon.mongo import TEMPORARY_ERRORS, Lease, Leases
from carillon.runtime.background import Every
from contacts.imports.source import Source
from contacts.imports.work import LostError, Work
from contacts.store import Stores
from contacts.store.imports import Kept

log = structlog.get_logger(__name__)

_LOOK_S = 0.3
_AT_ONCE = 3
_RENEW_BEFORE = 0.5  # of the lease's time


class ImportWorker:
    """A part."""

    def __init__(self, stores: Stores, work: Work, leases: Leases) -> None:
        self._stores = stores
        self._work = work
        self._leases = leases
        self._running: dict[str, asyncio.Task[None]] = {}
        self._looking = Every("imports", _LOOK_S, self._look)

    async def start(self) -> None:
        """Begin to look for work."""
        await self._looking.start()

    async def stop(self) -> None:
        """Leave off, in the middle of a batch if need be: whoever goes on does it again."""
        await self._looking.stop()
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> None:
        for account in await self._stores.imports.accounts_with_work():
            if account not in self._running and len(self._running) < _AT_ONCE:
                task = asyncio.create_task(self._serve(account), name=f"imports of {account}")
                self._running[account] = task
                task.add_done_callback(lambda _, account=account: self._running.pop(account, None))  # type: ignore[misc]

    async def _serve(self, account: str) -> None:
        lease = await self._leases.acquire(f"imports:{account}")
        if lease is None:
            return
        try:
            while kept := await self._stores.imports.next_work(account):
                await self._one(kept, lease)
        except LostError as error:
            log.info("import.lost", import_id=str(error))
        except TEMPORARY_ERRORS as error:
            log.warning("import.interrupted", account=account, error=repr(error))
        finally:
            await asyncio.gather(self._leases.release(lease), return_exceptions=True)

    async def _one(self, kept: Kept, lease: Lease) -> None:
        """To its end."""
        try:
            await self._to_the_end(kept, lease)
        except LostError:
            raise
        except TEMPORARY_ERRORS:
            raise
        except Exception:
            log.exception("import.unforeseen", import_id=kept.import_.id)
            newest = await self._stores.imports.find(kept.import_.account, kept.import_.id)
            if newest is not None:
                await self._work.fail(newest, "internal_error", "something went wrong here; it has been logged")

    async def _to_the_end(self, kept: Kept, lease: Lease) -> None:
        source: Source | None = None
        while kept.import_.state in ("queued", "running", "undoing"):
            await self._hold(lease)
            if kept.import_.state == "queued":
                kept = await self._work.prepare(kept)
            elif kept.import_.state == "undoing":
                kept = await self._work.undo_step(kept)
            elif source is None:
                kept = await self._work.resume(kept)
                source = self._work.source(kept)
            else:
                kept = await self._work.step(kept, source)

    async def _hold(self, lease: Lease) -> None:
        left_s = lease.held_until_s - time.monotonic()
        if left_s < self._leases.ttl_s * _RENEW_BEFORE and not await self._leases.renew(lease):
            raise LostError(lease.name)
