"""What accounts listens to."""

from accounts.countries import HoldDestinations
from accounts.credit.handlers import LendCredit, SettleCharges
from accounts.handlers import SayAll
from accounts.prices.handlers import SayAllPrices
from carillon.bus import Subscription
from carillon.bus.topology import (
    ACCOUNTS_CHARGES,
    ACCOUNTS_COPIES,
    ACCOUNTS_HOLDS,
    ACCOUNTS_LEASES,
    ACCOUNTS_PRICE_COPIES,
)
from carillon.telemetry import names

_TOGETHER_S = 0.05  # services that start together ask together, and one answer serves them all
_BATCH_S = 0.1  # nobody waits for charges: larger batches are fewer transactions


def subscriptions(
    say_all: SayAll, say_all_prices: SayAllPrices, lend: LendCredit, settle: SettleCharges, hold: HoldDestinations
) -> list[Subscription]:
    """Queues shared by all accounts processes."""
    return [
        Subscription(ACCOUNTS_COPIES, say_all.handle, max_wait_s=_TOGETHER_S),
        Subscription(ACCOUNTS_PRICE_COPIES, say_all_prices.handle, max_wait_s=_TOGETHER_S),
        Subscription(ACCOUNTS_LEASES, lend),
        Subscription(ACCOUNTS_HOLDS, hold),
        Subscription(ACCOUNTS_CHARGES, settle, span=names.MESSAGE_CHARGE, max_wait_s=_BATCH_S, prefetch=50),
    ]
