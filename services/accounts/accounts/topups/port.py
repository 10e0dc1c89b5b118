"""What a payment provider has to do; tests/test_payment_providers.py says it for each of them."""

from collections.abc import Mapping
from typing import Protocol

from accounts.topups.payment import PaymentEvent
from accounts.topups.topup import Checkout, TopUp


class SignatureError(Exception):
    """An event that the provider did not sign, or long ago."""


class PaymentUnavailableError(ConnectionError):
    """The provider does not answer, or refuses: the same request may be repeated."""


class PaymentProvider(Protocol):
    """A part. `name` is the last word of its webhook's path, and begins its payments' ids in the ledger."""

    name: str

    async def start(self) -> None:
        """Get ready."""
        ...

    async def stop(self) -> None:
        """Let go."""
        ...

    async def open(self, topup: TopUp) -> Checkout:
        """A checkout page for the top-up; asked again, the same one. Raises `PaymentUnavailableError`."""
        ...

    def read(self, body: bytes, headers: Mapping[str, str]) -> PaymentEvent | None:
        """The event of a webhook's request (names of headers in lower case); None: one that means nothing to us.

        Raises `SignatureError`.
        """
        ...
