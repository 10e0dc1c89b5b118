"""What accounts listens to."""

from accounts.handlers import SayAll
from carillon.bus import Subscription
from carillon.bus.topology import ACCOUNTS_COPIES

_TOGETHER_S = 0.05  # services that start together ask together, and one answer serves them all


def subscriptions(say_all: SayAll) -> list[Subscription]:
    """One queue, shared by all accounts processes."""
    return [Subscription(ACCOUNTS_COPIES, say_all.handle, max_wait_s=_TOGETHER_S)]
