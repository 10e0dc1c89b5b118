"""A workbook becomes CSV: a process reads it, what it writes is stored beside the upload."""

import asyncio
import sys
import tempfile
from asyncio.subprocess import PIPE
from typing import Final

from msgspec.structs import replace

from carillon.runtime.clock import Clock
from contacts.domain.errors import InvalidError
from contacts.domain.import_ import Import
from contacts.reading.spreadsheet import TOO_LARGE
from contacts.store.chunks import CHUNK_BYTES, ChunkStore, ChunkWriter

_PART: Final = "csv"


async def converted(chunks: ChunkStore, import_: Import, clock: Clock) -> Import:
    """The import with a file of rows; InvalidError when the workbook cannot be read. Done again, it does the same."""
    with tempfile.NamedTemporaryFile(prefix="carillon-", suffix=".xlsx") as copy:
        async for piece in chunks.read(import_.id, import_.part, 0):
            await asyncio.to_thread(copy.write, piece)
        copy.flush()
        writer = ChunkWriter(chunks, import_.id, _PART, clock.now_ms())
        status = await _convert(copy.name, writer)
    if status != 0:
        detail = "the workbook is too large" if status == TOO_LARGE else "the workbook cannot be read"
        raise InvalidError("file_unreadable", detail)
    await writer.close()
    return replace(import_, part=_PART, part_bytes=writer.size_bytes, encoding="utf-8", separator=";")


async def _convert(path: str, writer: ChunkWriter) -> int:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "contacts.reading.spreadsheet", path, stdout=PIPE
    )
    assert process.stdout is not None
    try:
        while data := await process.stdout.read(CHUNK_BYTES):
            await writer.write(data)
        return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
