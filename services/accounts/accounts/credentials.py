"""Makes what must not be guessed: API keys, callback secrets, and the hashes of passwords."""

import asyncio
import base64
import secrets

from accounts.domain.account import ApiKey
from carillon.http import api_keys, passwords
from carillon.runtime.ids import new_id

_SECRET_BYTES = 32


def new_api_key(scopes: tuple[str, ...], created_at: int, expires_at: int | None) -> tuple[ApiKey, str]:
    """A new key: what is kept of it, and the key itself, which is shown once. Times in milliseconds since 1970."""
    key, hash_ = api_keys.new_api_key()
    kept = ApiKey(
        id=new_id("key"), hash=hash_, hint=key[-4:], scopes=scopes, created_at=created_at, expires_at=expires_at
    )
    return kept, key


def new_callback_secret() -> str:
    """`whsec_` and 32 random bytes in base64 (Standard Webhooks, "Signature scheme")."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


async def hash_password(password: str) -> str:
    """argon2id with its parameters and salt, made in a thread: the event loop has other things to do."""
    return await asyncio.to_thread(passwords.hash_password, password)
