"""What messages cost, and who pays: prices by the account's list, and leases of credit, before anything is said."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import structlog
from msgspec.structs import replace

from campaign_scheduler.domain.pricing import UNPRICED, Pricing
from carillon.copies import AccountCopy, PriceCopy
from carillon.credit import CreditExhaustedError, CreditUnavailableError, Purse
from carillon.events.message import Accepted
from carillon.runtime.clock import Clock

log = structlog.get_logger(__name__)


class Paid(NamedTuple):
    """The first of the messages, with their leases: all of them, or those that could be paid.

    `is_broke`: the account has not got what the next one costs. Otherwise, when some are left, nobody could tell.
    """

    messages: list[Accepted]
    is_broke: bool


class Pricer:
    """What accounts pay now."""

    def __init__(self, accounts: AccountCopy, prices: PriceCopy, clock: Clock) -> None:
        self._accounts = accounts
        self._prices = prices
        self._clock = clock

    def of(self, account_id: str) -> Pricing:
        """The account's prices at this moment."""
        account = self._accounts.by_id(account_id)
        if account is None:
            return UNPRICED
        return Pricing(
            currency=account.currency,
            tariff=self._prices.tariff_for(account),
            is_prepaid=account.prepaid,
            at_ms=self._clock.now_ms(),
        )

    def is_known(self, account_id: str) -> bool:
        """False while an account, or the price list that a prepaid one needs, has not been heard of."""
        account = self._accounts.by_id(account_id)
        return account is not None and (not account.prepaid or self._prices.tariff_for(account) is not None)


class Cashier:
    """Puts leases on messages that are to be said. Call `close` with what was paid when it is durable, or is not to be.

    A message whose page was made before its account was prepaid, and that had no price then, costs nothing.
    """

    def __init__(self, accounts: AccountCopy, purse: Purse) -> None:
        self._accounts = accounts
        self._purse = purse

    def charges(self, account_id: str) -> bool:
        """Whether the account pays beforehand."""
        account = self._accounts.by_id(account_id)
        return account is not None and account.prepaid

    async def pay(self, account_id: str, messages: Sequence[Accepted]) -> Paid:
        """Pay one after the other, until one cannot be paid. A lease that was on a message before is replaced."""
        paid: list[Accepted] = []
        try:
            for message in messages:
                lease = await self._spend(account_id, message.price_micros or 0)
                paid.append(replace(message, lease_id=lease))
        except CreditExhaustedError:
            return Paid(paid, is_broke=True)
        except CreditUnavailableError as error:
            log.warning("credit.unavailable", account=account_id, error=str(error))
        except BaseException:
            self.close(paid)
            raise
        return Paid(paid, is_broke=False)

    def close(self, messages: Iterable[Accepted]) -> None:
        """What was spent for them is spent, or is not to be."""
        for message in messages:
            if message.lease_id is not None:
                self._purse.done(message.lease_id)

    async def _spend(self, account_id: str, micros: int) -> str | None:
        if not micros or not self.charges(account_id):
            return None
        return self._purse.spend_now(account_id, micros) or await self._purse.spend(account_id, micros)
