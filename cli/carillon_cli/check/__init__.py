"""`carillon check`: one look at everything that the platform stands on, with what to do about what is wrong."""

import asyncio
from collections.abc import Sequence

from carillon_cli.check.broker import check_broker
from carillon_cli.check.database import check_database
from carillon_cli.check.findings import Finding, render
from carillon_cli.check.machine import check_machine
from carillon_cli.check.services import check_services
from carillon_cli.places import Places

__all__ = ["Finding", "check_all", "render"]


async def check_all(places: Places) -> Sequence[Finding]:
    """Everything, in the order in which a message meets it; nothing is changed but one document of the check itself."""
    machine, operators = check_machine(places)
    looks = await asyncio.gather(
        check_broker(places, operators), check_database(places), check_services(places, operators)
    )
    return [*machine, *(finding for findings in looks for finding in findings)]
