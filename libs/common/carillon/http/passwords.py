"""Passwords of doors: argon2id, once; then a cache that costs 2 us. Bad ones can't eat the processor."""

import asyncio
import secrets
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from hashlib import blake2b
from ipaddress import ip_network
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from carillon.http.problem import overloaded
from carillon.runtime.clock import Clock, SystemClock
from carillon.telemetry.metrics import record_password

# OWASP's password storage cheat sheet: argon2id, 19 MiB, 2 rounds, 1 lane; 20 to 40 ms here.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)

_CACHED = 20_000
_MAX_WAITING = 32  # verifications waiting for the one thread
_REST = 3.0  # after a bad password the thread rests so many times what that took: a quarter of a core at most
_FAILURES = 10.0  # bad passwords that an address may give at once ...
_FAILURES_PER_S = 0.1  # ... and how fast it may give more

K = TypeVar("K")
V = TypeVar("V")


def hash_password(password: str) -> str:
    """Argon2id hash of a new password, with its own salt. Takes 20 to 40 ms: call it in a thread."""
    return _HASHER.hash(password)


class PasswordVerifier:
    """Remembers, under a key that only this process knows, which password fits which hash and which doesn't.

    BLAKE2b with a key (RFC 7693, 2.9) takes 1.7 us here, OpenSSL's HMAC 4.5.

    What it doesn't remember is verified in one thread, equal questions once. An address that keeps giving bad passwords
    is turned away unasked, and so is everyone new while too many wait: `Problem` 503, never a wrong `False`.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._key = secrets.token_bytes(32)
        self._good: OrderedDict[bytes, None] = OrderedDict()
        self._bad: OrderedDict[bytes, None] = OrderedDict()
        self._asked: dict[bytes, asyncio.Task[bool]] = {}
        self._failures: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._turn = asyncio.Semaphore(1)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="argon2")

    async def verify(self, password_hash: str, password: str, address: str) -> bool:
        """Whether `password` fits `password_hash`; `address` is who asks. `Problem` 503 when it can't be said now."""
        question = f"{password_hash}\0{password}".encode("utf-8", "surrogatepass")
        key = blake2b(question, key=self._key, digest_size=16).digest()
        if key in self._good:
            return True
        if key in self._bad:
            return False
        asked = self._asked.get(key)
        if asked is None:
            self._admit(address)
            asked = self._asked[key] = asyncio.create_task(self._verify(key, password_hash, password, address))
        return await asyncio.shield(asked)

    def close(self) -> None:
        """Let the thread go."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _admit(self, address: str) -> None:
        if self._failures_of(address) >= _FAILURES or len(self._asked) >= _MAX_WAITING:
            record_password("turned_away")
            raise overloaded(10, "Passwords can't be verified just now; try again.")

    def _failures_of(self, address: str) -> float:
        failures, at_s = self._failures.get(_neighbourhood(address), (0.0, 0.0))
        return max(0.0, failures - (self._clock.monotonic_s() - at_s) * _FAILURES_PER_S)

    async def _verify(self, key: bytes, password_hash: str, password: str, address: str) -> bool:
        loop = asyncio.get_running_loop()
        rest_s = 0.0
        try:
            await self._turn.acquire()
            try:
                began_s = loop.time()
                good = await loop.run_in_executor(self._thread, _fits, password_hash, password)
                if not good:
                    rest_s = _REST * (loop.time() - began_s)
                    failures = self._failures_of(address) + 1
                    _put(self._failures, _neighbourhood(address), (failures, self._clock.monotonic_s()))
            finally:
                loop.call_later(rest_s, self._turn.release)
            record_password("good" if good else "bad")
            _put(self._good if good else self._bad, key, None)
            return good
        finally:
            del self._asked[key]


def _put(kept: OrderedDict[K, V], key: K, value: V) -> None:
    """Keep a value; the oldest goes when there are too many."""
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > _CACHED:
        kept.popitem(last=False)


@lru_cache(maxsize=1024)
def _neighbourhood(address: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 one: nobody is given less."""
    if ":" not in address:
        return address
    try:
        return str(ip_network(f"{address.partition('%')[0]}/64", strict=False))
    except ValueError:
        return address


def _fits(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False
