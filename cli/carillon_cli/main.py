"""The `carillon` command."""

import asyncio
import logging
import os
from typing import Annotated

import typer

from carillon.mongo import TEMPORARY_ERRORS, MigrationError, Mongo
from carillon_cli import campaigns, consents, contacts, containers, credit, parked
from carillon_cli import up as platform
from carillon_cli.api import ApiError
from carillon_cli.places import AmqpUrl, ManagementUrl, MongoUrl, NoPlaceError, Targets, Url, find_places
from carillon_cli.receipts import commands as receipts
from carillon_cli.servers import ServerError, default_home, kubectl, mongod, prepare, rabbitmq
from carillon_cli.servers.home import Home
from carillon_cli.servers.processes import running_pid
from carillon_cli.services import SERVICES, addresses_but

for _library in ("aio_pika", "aiormq"):  # the commands say in their own words what these would print
    logging.getLogger(_library).addHandler(logging.NullHandler())

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Carillon, the self-hosted SMS platform.",
)
app.add_typer(campaigns.app, name="campaign")
app.command()(campaigns.send)
app.add_typer(parked.app, name="parked")
app.add_typer(containers.app, name="compose")
app.add_typer(receipts.app, name="receipts")
app.add_typer(contacts.app, name="contacts")
app.add_typer(consents.app, name="consents")
app.add_typer(credit.account_app, name="account")
app.add_typer(credit.prices_app, name="prices")
app.add_typer(credit.ledger_app, name="ledger")


def _home() -> Home:
    return Home(default_home())


def _say(line: str) -> None:
    typer.echo(f"- {line}")


def _fail(error: BaseException) -> typer.Exit:
    typer.secho(str(error) or "interrupted", fg=typer.colors.RED, err=True)
    return typer.Exit(1)


@app.command()
def up(
    processes: Annotated[bool, typer.Option(help="One process per service, not one for all.")] = False,
    detach: Annotated[bool, typer.Option(help="Return when all is ready; `carillon down` stops it.")] = False,
    port: Annotated[int, typer.Option(envvar="CARILLON_PORT", help="The public address' port.")] = 8080,
) -> None:
    """Start RabbitMQ, mongod, all services and a demo account."""
    home = _home()
    was_up = platform.is_up(home)
    try:
        running = platform.bring_up(home, port, processes, _say)
    except (ServerError, ApiError, KeyboardInterrupt) as error:
        if not was_up:
            platform.bring_down(home, _say)
        raise _fail(error) from error
    typer.echo(platform.welcome(home, running))
    if detach:
        return
    died = platform.watch(home, running.names, _say)
    if died:
        typer.secho(f"{died} died\n{platform.log_end(home, died)}", fg=typer.colors.RED, err=True)
    typer.echo("stopping")
    platform.bring_down(home, _say)
    if died:
        raise typer.Exit(1)


@app.command()
def down() -> None:
    """Stop the services and the private servers that run in the background."""
    try:
        platform.bring_down(_home(), _say)
    except ServerError as error:
        raise _fail(error) from error


@app.command()
def status() -> None:
    """Say what runs; the exit status is 0 when the platform is up."""
    home = _home()
    names = [*home.recall("platform").get("names", []), rabbitmq.NAME, mongod.NAME]
    for name in names:
        pid = running_pid(home.pid_file(name))
        typer.echo(f"{name:<12} {f'running, pid {pid}' if pid else 'not running'}")
    typer.echo(f"data, logs   {home.path}")
    if not platform.is_up(home):
        raise typer.Exit(3)


@app.command()
def run(
    service: Annotated[str, typer.Argument(help=f"One of {', '.join(SERVICES)}; none: all in one process.")] = "",
    front: Annotated[
        bool, typer.Option("--front", help="Listen on CARILLON_PORT and pass on what other services serve.")
    ] = False,
) -> None:
    """Run one service in the foreground, or all behind one address, with the settings of the environment."""
    if service and service not in SERVICES:
        raise typer.BadParameter(f"{service} is none of {', '.join(SERVICES)}")
    from carillon_cli import run as runner  # noqa: PLC0415 - the services' libraries take a second to load

    port = int(os.environ.get("CARILLON_PORT", "8080"))
    if not service:
        runner.run_front(SERVICES, {}, port)
    elif front:
        runner.run_front([service], addresses_but(service, os.environ), port)
    else:
        runner.run_one(service)


@app.command()
def migrate(
    mongo_url: MongoUrl = "",
    check_only: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 1 when something is pending.")
    ] = False,
) -> None:
    """Make the indexes of all services and run pending migrations: before a rollout, or as a Job."""
    from carillon_cli import migrate as migrations  # noqa: PLC0415 - the services' libraries take a second to load

    async def work() -> list[str]:
        places = find_places(_home(), mongo_url=mongo_url)
        mongo = Mongo(places.need("mongo_url"), prefix=places.mongo_prefix, app="carillon-migrate")
        try:
            await mongo.start()
            if check_only:
                return await migrations.pending(mongo)
            await migrations.run(mongo, _say)
        finally:
            await mongo.stop()
        return []

    try:
        pending = asyncio.run(work())
    except (MigrationError, NoPlaceError) as error:
        raise _fail(error) from error
    except TEMPORARY_ERRORS as error:
        raise _fail(ConnectionError(f"MongoDB does not answer: {migrations.in_short(error)}")) from error
    for line in pending:
        _say(line)
    if check_only:
        typer.echo(f"{len(pending)} pending")
    if pending:
        raise typer.Exit(1)


@app.command()
def check(
    amqp_url: AmqpUrl = "",
    management_url: ManagementUrl = "",
    mongo_url: MongoUrl = "",
    url: Url = "",
    services: Targets = "",
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Look at broker, database, queues, services, binds, clocks and disks; exit 1 when something is wrong."""
    from carillon_cli.check import check_all, render  # noqa: PLC0415 - the services' libraries take a second to load

    try:
        places = find_places(_home(), amqp_url, management_url, mongo_url, url, services)
    except NoPlaceError as error:
        raise _fail(error) from error
    findings = asyncio.run(check_all(places))
    typer.echo(render(findings, as_json))
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)


@app.command("prepare")
def prepare_servers() -> None:
    """Install RabbitMQ and mongod if they are missing, without starting them, and kubectl for the tests."""
    home = _home()
    try:
        prepare(home, _say)
        kubectl.install(home, _say)
    except ServerError as error:
        raise _fail(error) from error
