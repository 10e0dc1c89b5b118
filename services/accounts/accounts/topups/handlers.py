"""What happens to top-ups: an account opens one, a provider says what became of it."""

import hashlib
from collections.abc import Mapping

import structlog
from msgspec.structs import replace

from accounts.domain.account import Account
from accounts.domain.errors import ConflictError, InvalidError, UnknownError
from accounts.topups.money import Limits, check_amount
from accounts.topups.port import PaymentProvider
from accounts.topups.store import TopUpStore
from accounts.topups.topup import TopUp
from carillon.runtime.clock import Clock
from carillon.runtime.ids import new_id

log = structlog.get_logger(__name__)


class OpenTopUp:
    """Stores a top-up, then has the provider make its page; asked again with the same key, both are the same."""

    def __init__(self, store: TopUpStore, provider: PaymentProvider | None, limits: Limits, clock: Clock) -> None:
        self._store = store
        self._provider = provider
        self._limits = limits
        self._clock = clock

    async def __call__(
        self, account: Account, micros: int, return_url: str | None, key: str | None
    ) -> tuple[TopUp, bool]:
        """The top-up, and whether it was there before. `InvalidError`, `ConflictError`, `PaymentUnavailableError`."""
        if self._provider is None:
            raise ConflictError("topups_off", "this platform takes no cards: ask its team for credit")
        check_amount(self._limits, account.currency, micros)
        now = self._clock.now_ms()
        topup = TopUp(
            id=new_id("top") if key is None else f"top_{_digest(account.id, key)[:26]}",
            account=account.id,
            account_name=account.name,
            amount=micros,
            currency=account.currency,
            provider=self._provider.name,
            return_url=return_url,
            fingerprint=_digest(str(micros), return_url or ""),
            created_at=now,
            changed_at=now,
        )
        there = await self._store.add(topup)
        if there is not None and there.fingerprint != topup.fingerprint:
            raise InvalidError("idempotency_key_reused", "this Idempotency-Key came with another request before")
        known = there or topup
        if known.checkout is None:  # a crash in between is mended by the client's retry
            checkout = await self._provider.open(known)
            await self._store.opened(known.id, checkout)
            known = replace(known, checkout=checkout)
            log.info("topup.opened", account=account.id, topup=known.id, provider=known.provider)
        return known, there is not None


class TakePaymentEvent:
    """A webhook's request: verified, understood, and booked once, whatever the repeats and the order."""

    def __init__(self, store: TopUpStore, provider: PaymentProvider | None, clock: Clock) -> None:
        self._store = store
        self._provider = provider
        self._clock = clock

    async def __call__(self, name: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Return when it is durable. `UnknownError`, `SignatureError`, `CurrencyError`, or a temporary error.

        Names of headers are in lower case.
        """
        if self._provider is None or name != self._provider.name:
            raise UnknownError("provider_unknown", "no payment provider of this name is in use")
        event = self._provider.read(body, headers)
        if event is None:
            return
        now = self._clock.now_ms()
        if event.payment is None:
            if event.topup is not None:
                await self._store.end(event.topup, event.kind, now)
            return
        booked = await self._store.take(f"{name}_{event.payment}", event, now)
        log.info("topup.event", provider=name, kind=event.kind, topup=event.topup, booked=booked)


def _digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()
