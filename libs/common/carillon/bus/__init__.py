"""RabbitMQ, and nothing else of the system knows that it is RabbitMQ: topology, publish, batch consume, parking."""

from carillon.bus.port import Bus, BusDownError, Defer, Delivery, Handler, Reject, Subscription
from carillon.bus.topology import Queue

__all__ = ["Bus", "BusDownError", "Defer", "Delivery", "Handler", "Queue", "Reject", "Subscription"]
