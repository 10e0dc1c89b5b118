"""The desk: the operators file in force, and for each operator its line, connector, binds and subscriptions.

A change of the file changes only what differs: routes at once, an operator that is new, gone or different by opening
or closing its line. Binds of operators that did not change are not touched.
"""

import asyncio
from dataclasses import dataclass

import structlog

from carillon.bus import Bus
from carillon.bus.topology import dispatcher_submit
from carillon.events.base import LANES
from carillon.events.message import Accepted
from carillon.mongo import Leases
from carillon.runtime.clock import Clock
from carillon.telemetry import metrics
from dispatcher.connectors.factory import make_connector
from dispatcher.connectors.port import Connector, Inbox
from dispatcher.consumers import submit_subscriptions
from dispatcher.domain.operators import Operator, OperatorsFile
from dispatcher.domain.routing import RouteTable
from dispatcher.line import Line, Suppressed
from dispatcher.outbox import Outbox
from dispatcher.settlement import Recent, Settlement
from dispatcher.slots import Slots
from dispatcher.store import Journal

log = structlog.get_logger(__name__)


@dataclass
class Tools:
    """What every line works with."""

    bus: Bus
    outbox: Outbox
    journal: Journal
    leases: Leases
    recent: Recent
    inbox: Inbox
    suppressed: Suppressed
    clock: Clock
    process: str
    grace_s: float


class OperatorDesk:
    """One operator at work in this process: subscribed while it holds at least one bind."""

    def __init__(self, operator: Operator, tools: Tools) -> None:
        self.operator = operator
        self._tools = tools
        self.connector: Connector = make_connector(operator, tools.inbox, self._may_use, tools.clock)
        settlement = Settlement(operator, tools.outbox, tools.journal, tools.recent, tools.clock)
        self.line = Line(operator, self.connector, tools.journal, settlement, tools.suppressed, tools.clock)
        self._slots = Slots(tools.leases, operator.name, tools.process, operator.binds, self._on_slots)
        self._subscribed = False

    async def start(self) -> None:
        """Make the queues, then begin to send as soon as a bind is leased and up."""
        metrics.set_binds_wanted(self.operator.name, self.operator.binds)
        metrics.set_binds_up(self.operator.name, 0)
        for lane in LANES:
            await self._tools.bus.declare(dispatcher_submit(self.operator.name, lane))
        await self.line.start()
        await self._slots.start()

    async def stop(self) -> None:
        """Stop taking, hand back what was not sent, wait for answers, close the binds, give back the leases."""
        await self._leave()
        await self._slots.stop()
        metrics.set_binds_wanted(self.operator.name, 0)
        metrics.set_binds_up(self.operator.name, 0)
        metrics.set_line(self.operator.name, 0, 0)

    def _may_use(self, number: int) -> bool:
        return self._slots.is_held(number)

    async def _on_slots(self, held: set[int]) -> None:
        log.info("binds.held", operator=self.operator.name, binds=sorted(held), of=self.operator.binds)
        self.line.share(len(held))
        await self.connector.hold(held, self._tools.grace_s)
        metrics.set_binds_up(self.operator.name, self.connector.binds_up())
        if held and not self._subscribed:
            self._subscribed = True
            for subscription in submit_subscriptions(self.line):
                await self._tools.bus.subscribe(subscription)
        elif not held and self._subscribed:
            await self._leave()
            await self.line.start()

    async def _leave(self) -> None:
        names = [subscription.queue.name for subscription in submit_subscriptions(self.line)]
        leaving = [asyncio.create_task(self._tools.bus.unsubscribe(name)) for name in names] if self._subscribed else []
        self._subscribed = False
        await asyncio.sleep(0)  # the consumers are cancelled first, so that nothing new comes in
        await self.line.close()
        await self.connector.hold(set(), self._tools.grace_s)  # every answer due comes, or is given up
        await asyncio.gather(*leaving)


class Desk:
    """A part: all operators of the file."""

    def __init__(self, file: OperatorsFile, tools: Tools) -> None:
        self._tools = tools
        self._desks: dict[str, OperatorDesk] = {}
        self._file = file
        self._routes = RouteTable(file.routes)

    def operators_for(self, message: Accepted) -> list[str]:
        """Operators to try for a message, by the routes in force; empty when there is none."""
        return self._routes.operators_for(message)

    async def start(self) -> None:
        """Open every operator's desk."""
        for operator in self._file.operators:
            await self._open(operator)

    async def stop(self) -> None:
        """Close all, at the same time."""
        await asyncio.gather(*(desk.stop() for desk in self._desks.values()))
        self._desks.clear()

    def operator(self, name: str) -> Operator | None:
        """The operator of that name."""
        desk = self._desks.get(name)
        return desk.operator if desk is not None else None

    async def change(self, file: OperatorsFile) -> None:
        """Put another file in force."""
        wanted = {operator.name: operator for operator in file.operators}
        for name, operator in wanted.items():
            if name not in self._desks:
                await self._open(operator)
        self._routes = RouteTable(file.routes)
        self._file = file
        for name, desk in list(self._desks.items()):
            if wanted.get(name) != desk.operator:
                log.info("operator.changed" if name in wanted else "operator.gone", operator=name)
                del self._desks[name]
                await desk.stop()
                if name in wanted:
                    await self._open(wanted[name])

    async def _open(self, operator: Operator) -> None:
        desk = OperatorDesk(operator, self._tools)
        self._desks[operator.name] = desk
        await desk.start()
