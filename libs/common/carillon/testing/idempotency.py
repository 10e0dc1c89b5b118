"""What every store of Idempotency-Key records must do, as tests, and the store in memory that does it.

A store's tests subclass `StoreContract` and give its fixture `store`.
"""

from dataclasses import dataclass, field

import msgspec

from carillon.http.idempotency import Answer, KeyRecord, Store

NOW_MS = 1_795_000_000_000
ANSWER = Answer(202, b'{"id":"1"}')


@dataclass
class MemoryStore:
    """Records in a dictionary."""

    records: dict[str, KeyRecord] = field(default_factory=dict)

    async def insert(self, record: KeyRecord, now_ms: int) -> KeyRecord | None:
        """Store a record and return None, or return the one that is there."""
        there = self.records.get(record.key)
        if there is not None and there.expires_at_ms > now_ms:
            return there
        self.records[record.key] = record
        return None

    async def take_over(self, key: str, seen_lease_ms: int, lease_until_ms: int) -> bool:
        """Lease an unanswered record anew."""
        there = self.records.get(key)
        if there is None or there.answer is not None or there.lease_until_ms != seen_lease_ms:
            return False
        self.records[key] = msgspec.structs.replace(there, lease_until_ms=lease_until_ms)
        return True

    async def release(self, key: str, lease_until_ms: int) -> None:
        """End the lease."""
        await self.take_over(key, lease_until_ms, 0)

    async def finish(self, key: str, answer: Answer) -> None:
        """Store the answer."""
        self.records[key] = msgspec.structs.replace(self.records[key], answer=answer)


def key_record(key: str = "acc_1:k") -> KeyRecord:
    """A record whose lease runs from `NOW_MS` for 30 s."""
    return KeyRecord(key, "f", (7, 8), NOW_MS + 30_000, NOW_MS + 86_400_000)


class StoreContract:
    """The tests."""

    async def test_a_new_key_is_stored_once_and_read_back_whole(self, store: Store) -> None:
        """Also its ids, which are up to 63 bits."""
        record = msgspec.structs.replace(key_record(), ids=(1, (1 << 63) - 1))
        assert await store.insert(record, NOW_MS) is None
        other = msgspec.structs.replace(record, fingerprint="g", ids=(3,))
        assert await store.insert(other, NOW_MS + 1) == record

    async def test_keys_are_apart(self, store: Store) -> None:
        """Another account's or another key."""
        assert await store.insert(key_record("acc_1:k"), NOW_MS) is None
        assert await store.insert(key_record("acc_2:k"), NOW_MS) is None

    async def test_an_answer_is_kept_byte_by_byte(self, store: Store) -> None:
        """With its status and media type."""
        record = key_record()
        await store.insert(record, NOW_MS)
        answer = Answer(202, bytes(range(256)), "application/problem+json")
        await store.finish(record.key, answer)
        assert await store.insert(record, NOW_MS + 1) == msgspec.structs.replace(record, answer=answer)

    async def test_only_one_takes_an_abandoned_record_over(self, store: Store) -> None:
        """And the ids stay."""
        record = key_record()
        await store.insert(record, NOW_MS)
        assert await store.take_over(record.key, record.lease_until_ms, NOW_MS + 60_000)
        assert not await store.take_over(record.key, record.lease_until_ms, NOW_MS + 60_001)
        there = await store.insert(record, NOW_MS + 1)
        assert there == msgspec.structs.replace(record, lease_until_ms=NOW_MS + 60_000)

    async def test_an_answered_or_unknown_record_is_not_taken_over(self, store: Store) -> None:
        """There is nothing to be done."""
        record = key_record()
        assert not await store.take_over(record.key, record.lease_until_ms, NOW_MS)
        await store.insert(record, NOW_MS)
        await store.finish(record.key, ANSWER)
        assert not await store.take_over(record.key, record.lease_until_ms, NOW_MS)

    async def test_a_lease_is_released_by_its_holder_only(self, store: Store) -> None:
        """Who lost it to another has no say."""
        record = key_record()
        await store.insert(record, NOW_MS)
        await store.release(record.key, record.lease_until_ms - 1)
        there = await store.insert(record, NOW_MS)
        assert there is not None
        assert there.lease_until_ms == record.lease_until_ms
        await store.release(record.key, record.lease_until_ms)
        there = await store.insert(record, NOW_MS)
        assert there is not None
        assert there.lease_until_ms == 0

    async def test_an_expired_key_is_new_again(self, store: Store) -> None:
        """Even if the database has not removed it yet."""
        record = key_record()
        await store.insert(record, NOW_MS)
        later = msgspec.structs.replace(record, ids=(9,), expires_at_ms=record.expires_at_ms + 86_400_000)
        assert await store.insert(later, record.expires_at_ms) is None
        assert await store.insert(later, record.expires_at_ms) == later
