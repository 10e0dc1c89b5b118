"""Keys of the JSON API: `ck_live_` and 40 letters and digits (238 bits). Only their SHA-256 is stored."""

import hashlib
import secrets
import string

PREFIX = "ck_live_"
_LETTERS = string.ascii_letters + string.digits
_LENGTH = 40


def new_api_key() -> tuple[str, str]:
    """A new key, to be shown once, and its hash, to be stored."""
    key = PREFIX + "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
    return key, hash_api_key(key)


def hash_api_key(key: str) -> str:
    """SHA-256 of the whole key, in hex. The key is random and long: it needs no slow hash."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
