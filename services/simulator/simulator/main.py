"""Puts the simulator together."""

from carillon.http.app import create_app
from carillon.runtime.clock import Clock, SystemClock
from carillon.runtime.lifecycle import Service
from simulator.api import routes
from simulator.callbacks import CallbackSink
from simulator.domain.callback_log import CallbackLog
from simulator.inbound import InboundDesk
from simulator.operator import Operator
from simulator.page import page_routes
from simulator.settings import Settings
from simulator.view import View


def build(settings: Settings, clock: Clock | None = None) -> Service:
    """The operator as one part, and its HTTP side. `service.parts[0]` is the `Operator`."""
    clock = clock or SystemClock()
    operator = Operator(settings, clock)
    desk = InboundDesk(operator)
    view = View(operator, clock)
    log = CallbackLog(settings.simulator_kept_callbacks)
    app = create_app(
        "Carillon simulator",
        routers=[routes(operator, desk, view, log), page_routes(desk, view, log)],
        health=operator.problems,
    )
    return Service("simulator", CallbackSink(app, log, clock), settings.simulator_port, [operator], operator.problems)
