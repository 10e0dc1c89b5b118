"""What a batch does, as it is written down before it is done: a batch that is done again does the same."""

from typing import Final

from msgspec import Struct, msgpack
from msgspec.structs import replace

from contacts.domain.batch import Counts, Touch

MAX_BYTES: Final = 12 << 20  # MongoDB's documents end at 16 MiB


class Remark(Struct, frozen=True, array_like=True, gc=False):
    """A line of the report: a row that was refused, or one that was taken with a note."""

    line: int
    code: str
    refused: bool
    content: str


class Record(Struct, frozen=True, kw_only=True):
    """Batch `number` (from 0) of an import; `offset` and `line` are where the next one begins."""

    import_: str
    number: int
    touches: list[Touch]
    counts: Counts
    remarks: list[Remark]
    offset: int
    line: int

    @property
    def id(self) -> str:
        """Also the stamp of the contacts that it writes."""
        return record_id(self.import_, self.number)

    def with_changed(self, touches: list[Touch], updated_instead: int) -> "Record":
        """Contacts came into being, or went, between the decision and the deed."""
        counts = replace(
            self.counts,
            created=self.counts.created - updated_instead,
            updated=self.counts.updated + updated_instead,
        )
        return replace(self, touches=touches, counts=counts)


def record_id(import_: str, number: int) -> str:
    """Sorts as the batches do."""
    return f"{import_}:{number:06d}"


_encoder = msgpack.Encoder()
_decoder = msgpack.Decoder(Record)


def encode(record: Record) -> bytes:
    """For the store."""
    return _encoder.encode(record)


def decode(body: bytes) -> Record:
    """From the store."""
    return _decoder.decode(body)
