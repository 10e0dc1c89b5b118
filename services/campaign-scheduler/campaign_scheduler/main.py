"""The one place where the campaign-scheduler service is built and wired."""

import os
import socket

from campaign_scheduler.settings import Settings
from carillon.bus.rabbit import RabbitBus
from carillon.copies import AccountCopy
from carillon.http.app import create_app
from carillon.mongo import TEMPORARY_ERRORS, Mongo
from carillon.runtime.ids import new_id
from carillon.runtime.lifecycle import Part, Service


def build(settings: Settings) -> Service:
    """Wire the service; nothing is connected before its parts are started."""
    process = f"{socket.gethostname()}:{os.getpid()}"
    mongo = Mongo(settings.mongo_url, prefix=settings.mongo_prefix, app="carillon-campaign-scheduler")
    bus = RabbitBus(settings.amqp_url, name=f"campaign-scheduler@{process}", temporary=TEMPORARY_ERRORS)
    accounts = AccountCopy(
        bus, mongo.database("campaign_scheduler"), service="campaign-scheduler", process=new_id("csp")
    )
    parts: list[Part] = [mongo, bus, accounts]
    app = create_app("Carillon campaign-scheduler", routers=[], health=bus.problems)
    return Service("campaign-scheduler", app, settings.campaign_scheduler_port, parts, bus.problems)
