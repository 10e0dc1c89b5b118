"""Millions of suppressed numbers in little memory, looked up for every message.

A hash's first two bytes choose one of 65,536 buckets; a bucket is one `bytes` with the next six bytes of each of its
hashes, one after the other. So a million hashes take 9 MB (a `set` would take 90) and a look-up is one search in
about 100 bytes. 64 of the 128 bits are kept: among ten million, a number is taken for another once in 10^12.
"""

_REST = slice(2, 8)
_WIDTH = 6
_BUCKETS = 1 << 16


class SuppressionTable:
    """A set of 16-byte hashes, of which the first 8 bytes count."""

    def __init__(self) -> None:
        self._buckets = [b""] * _BUCKETS
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, hash_: bytes) -> bool:
        bucket = self._buckets[hash_[0] << 8 | hash_[1]]
        rest = hash_[_REST]
        return rest in bucket and _place(bucket, rest) >= 0  # `in` is the fast way to a no, which most answers are

    def add(self, hash_: bytes) -> None:
        """Put it in; it may be there already."""
        at = hash_[0] << 8 | hash_[1]
        rest = hash_[_REST]
        if _place(self._buckets[at], rest) < 0:
            self._buckets[at] += rest
            self._count += 1

    def discard(self, hash_: bytes) -> None:
        """Take it out, if it is there."""
        at = hash_[0] << 8 | hash_[1]
        bucket = self._buckets[at]
        place = _place(bucket, hash_[_REST])
        if place >= 0:
            self._buckets[at] = bucket[:place] + bucket[place + _WIDTH :]
            self._count -= 1


def _place(bucket: bytes, rest: bytes) -> int:
    """Where `rest` stands; what lies across two entries is none."""
    place = bucket.find(rest)
    while place % _WIDTH and place >= 0:
        place = bucket.find(rest, place + 1)
    return place
