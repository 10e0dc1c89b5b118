"""Makes what must not be guessed: API keys, callback secrets, and the hashes of passwords."""

import asyncio
import base64
import hashlib
import secrets
import string

from argon2 import PasswordHasher

from accounts.domain.account import ApiKey
from carillon.runtime.ids import new_id

# Every ingest process verifies door passwords, so one hash takes 19 MiB and about 20 ms, not 64 MiB:
# the argon2id setting of the OWASP Password Storage Cheat Sheet.
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_ALPHABET = string.ascii_letters + string.digits  # a double click selects the whole key
_KEY_LENGTH = 43  # of 62 characters: 256 bits
_SECRET_BYTES = 32


def new_api_key(scopes: tuple[str, ...], created_at: int, expires_at: int | None) -> tuple[ApiKey, str]:
    """A new key: what is kept of it, and the key itself, which is shown once. Times in milliseconds since 1970."""
    key = "ck_live_" + "".join(secrets.choice(_ALPHABET) for _ in range(_KEY_LENGTH))
    kept = ApiKey(
        id=new_id("key"),
        hash=hash_of_key(key),
        hint=key[-4:],
        scopes=scopes,
        created_at=created_at,
        expires_at=expires_at,
    )
    return kept, key


def hash_of_key(key: str) -> str:
    """SHA-256 in hex: a key has 256 random bits, so there is nothing to slow a guesser down for."""
    return hashlib.sha256(key.encode()).hexdigest()


def new_callback_secret() -> str:
    """`whsec_` and 32 random bytes in base64 (Standard Webhooks, "Signature scheme")."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


async def hash_password(password: str) -> str:
    """argon2id with its parameters and salt, made in a thread: the event loop has other things to do."""
    return await asyncio.to_thread(_hasher.hash, password)
