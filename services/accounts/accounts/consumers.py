"""What accounts listens to."""

from accounts.handlers import SayAll
from accounts.prices.handlers import SayAllPrices
from carillon.bus import Subscription
from carillon.bus.topology import ACCOUNTS_COPIES, ACCOUNTS_PRICE_COPIES

_TOGETHER_S = 0.05  # services that start together ask together, and one answer serves them all


def subscriptions(say_all: SayAll, say_all_prices: SayAllPrices) -> list[Subscription]:
    """Queues shared by all accounts processes."""
    return [
        Subscription(ACCOUNTS_COPIES, say_all.handle, max_wait_s=_TOGETHER_S),
        Subscription(ACCOUNTS_PRICE_COPIES, say_all_prices.handle, max_wait_s=_TOGETHER_S),
    ]
