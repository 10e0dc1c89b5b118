"""The keyed hash of an account's number: it stands for a number that is no longer kept, and finds it again when given.

BLAKE2b with a key (a MAC, RFC 7693): without the platform's key nobody can try out numbers, and the same number has
another hash in each account. Its state after the key is copied for each number: 0.5 us, where HMAC-SHA-256 takes 2.3.
"""

from hashlib import blake2b

from pydantic import SecretStr

SIZE_BYTES = 16
MIN_KEY = 32


class NumberHash:
    """Hashes with one key. A process whose key differs from the others' finds nothing that they have kept."""

    def __init__(self, key: SecretStr) -> None:
        secret = key.get_secret_value().encode()
        self._keyed = blake2b(key=blake2b(secret).digest(), digest_size=SIZE_BYTES, person=b"carillon number")

    def of(self, account: str, number: str) -> bytes:
        """16 bytes for this number (international digits) in this account."""
        state = self._keyed.copy()
        state.update(f"{account}:{number}".encode())
        return state.digest()
