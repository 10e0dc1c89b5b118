"""Makes the connector that an operator's `kind` names."""

from collections.abc import Callable

from carillon.runtime.clock import Clock
from dispatcher.connectors.http import HttpConnector
from dispatcher.connectors.port import Connector, Inbox
from dispatcher.connectors.smpp import SmppConnector
from dispatcher.domain.operators import Operator


def make_connector(operator: Operator, inbox: Inbox, may_use: Callable[[int], bool], clock: Clock) -> Connector:
    """`may_use(number)` tells, at each look, whether the lease of that bind still holds."""
    if operator.kind == "http":
        return HttpConnector(operator)
    return SmppConnector(operator, inbox, may_use, clock)
