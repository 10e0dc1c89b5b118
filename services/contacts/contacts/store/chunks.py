"""`contacts.import_chunks`: uploaded files in pieces of 256 KiB, `{_id: "<import>:<part>:<number>", data, expires_at}`.

Pieces are all of one size but the last, so a place in a file is a piece and a place in it.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

from carillon.mongo import Collection, Database, Index

CHUNK_INDEXES: Final = (Index(("expires_at",), expire_after_s=0),)
CHUNK_BYTES: Final = 262_144
KEEP_MS: Final = 7 * 86_400_000


class ChunkStore:
    """Files by import and part: `raw` as uploaded, `csv` what a workbook became."""

    def __init__(self, database: Database) -> None:
        self._chunks: Collection = database["import_chunks"]

    async def put(self, import_: str, part: str, number: int, data: bytes, now_ms: int) -> None:
        """Store a piece; the same one again changes nothing."""
        expires_at = datetime.fromtimestamp((now_ms + KEEP_MS) / 1000, UTC)
        id_ = _id(import_, part, number)
        await self._chunks.replace_one({"_id": id_}, {"data": data, "expires_at": expires_at}, upsert=True)

    async def read(self, import_: str, part: str, offset: int) -> AsyncIterator[bytes]:
        """The file from a place on."""
        number, inside = divmod(offset, CHUNK_BYTES)
        while True:
            document = await self._chunks.find_one({"_id": _id(import_, part, number)})
            if document is None:
                return
            data: bytes = document["data"]
            yield data[inside:] if inside else data
            number, inside = number + 1, 0

    async def remove(self, import_: str) -> None:
        """The file is not needed any more."""
        await self._chunks.delete_many({"_id": {"$gte": f"{import_}:", "$lt": f"{import_};"}})


class ChunkWriter:
    """Cuts what comes into pieces; memory holds two at most."""

    def __init__(self, chunks: ChunkStore, import_: str, part: str, now_ms: int) -> None:
        self._chunks = chunks
        self._import = import_
        self._part = part
        self._now_ms = now_ms
        self._waiting = bytearray()
        self._number = 0
        self.size_bytes = 0

    async def write(self, data: bytes) -> None:
        """The next bytes."""
        self._waiting += data
        while len(self._waiting) >= CHUNK_BYTES:
            await self._put(bytes(self._waiting[:CHUNK_BYTES]))
            del self._waiting[:CHUNK_BYTES]

    async def close(self) -> None:
        """Store the rest."""
        if self._waiting:
            await self._put(bytes(self._waiting))
            self._waiting.clear()

    async def _put(self, data: bytes) -> None:
        await self._chunks.put(self._import, self._part, self._number, data, self._now_ms)
        self._number += 1
        self.size_bytes += len(data)


def _id(import_: str, part: str, number: int) -> str:
    return f"{import_}:{part}:{number:06d}"
