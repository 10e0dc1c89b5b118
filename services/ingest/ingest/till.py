"""What a message costs, and who pays: its price by the account's list, and the lease of credit that pays for it."""

from collections.abc import Sequence
from typing import Protocol

from carillon.credit import CreditExhaustedError, Purse
from carillon.events.account import AccountChanged
from carillon.events.credit import LEASE_LATER
from carillon.events.message import Accepted
from carillon.sms.tariff import Tariff
from ingest.domain.refusal import Refusal


class Prices(Protocol):
    """Where price lists are known; see `carillon.copies.PriceCopy`."""

    def tariff_for(self, account: AccountChanged) -> Tariff | None:
        """What the account pays; None: it has no price list."""
        ...


class Till:
    """Every door's last step before acceptance. An account that is not prepaid is never refused."""

    def __init__(self, prices: Prices, purse: Purse) -> None:
        self._prices = prices
        self._purse = purse

    def price(self, account: AccountChanged, number: str, parts: int, at_ms: int) -> int | None:
        """Micro-units; None: there is no price for it."""
        tariff = self._prices.tariff_for(account)
        return None if tariff is None else tariff.price(number, parts, at_ms)

    async def charge(self, account: AccountChanged, message: Accepted) -> None:
        """Put price and lease on the message; `Refusal` without a price or without credit.

        Raises `CreditUnavailableError` when nobody can tell. Call `close` afterwards, whatever became of the message.
        """
        message.price_micros = self.price(account, message.number, message.parts, message.accepted_at)
        if not account.prepaid:
            return
        micros = message.price_micros
        if micros is None:
            raise _no_price()
        if micros:
            try:
                message.lease_id = self._purse.spend_now(account.id, micros) or await self._purse.spend(
                    account.id, micros
                )
            except CreditExhaustedError:
                raise Refusal("credit_exhausted", "the account's credit does not pay for this message") from None

    def book(self, account: AccountChanged, message: Accepted, send_at_ms: int) -> None:
        """Put the price at `send_at_ms` on a message that is to be sent then; it is paid when it is released.

        `Refusal` where a prepaid account has no price for it.
        """
        micros = message.price_micros = self.price(account, message.number, message.parts, send_at_ms)
        if not account.prepaid:
            return
        if micros is None:
            raise _no_price()
        if micros:
            message.lease_id = LEASE_LATER

    def close(self, messages: Sequence[Accepted]) -> None:
        """The messages are durable, or are not to be."""
        for message in messages:
            if message.lease_id is not None:
                self._purse.done(message.lease_id)


def _no_price() -> Refusal:
    return Refusal("no_price", "the account's price list has no price for this destination", "to")
