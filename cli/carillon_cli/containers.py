"""`carillon compose ...`: what the one-shot containers of infra/docker-compose.yml do, and its router's file."""

import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from carillon_cli import demo
from carillon_cli.api import AdminApi, ApiError, is_ready, problems_of
from carillon_cli.servers import Home
from carillon_cli.servers.home import write_private

app = typer.Typer(no_args_is_help=True, help="What the containers of infra/docker-compose.yml call.")

USER = "carillon"
WAIT_S = 300.0
NOT_YET_INITIATED = 94
ALREADY_INITIATED = 23

RABBITMQ_CONF = """\
default_user = {user}
default_pass = {password}
loopback_users = none
disk_free_limit.absolute = 200MB
raft.wal_max_size_bytes = 67108864
collect_statistics_interval = 10000
management.rates_mode = none
log.console = true
log.console.level = info
log.connection.level = warning
"""


@app.command("secrets")
def make_secrets(folder: Annotated[Path, typer.Argument(help="Holds services/, rabbitmq/ and grafana/.")]) -> None:
    """Make every password once; `CARILLON_ADMIN_TOKEN` and others may give some of them."""
    services = folder / "services"
    password = _keep(services / "amqp_password", secrets.token_urlsafe(18))
    _keep(services / "admin_token", secrets.token_urlsafe(24), os.environ.get("CARILLON_ADMIN_TOKEN"))
    # never made anew: what suppressions are found by would be lost
    _keep(services / "number_hash_key", secrets.token_urlsafe(32), os.environ.get("CARILLON_NUMBER_HASH_KEY"))
    simulator = _keep(
        services / "simulator_password", secrets.token_urlsafe(6), os.environ.get("CARILLON_SIMULATOR_PASSWORD")
    )
    if len(simulator) > 8:
        raise typer.BadParameter("CARILLON_SIMULATOR_PASSWORD has at most 8 characters, as every SMPP password")
    write_private(services / "amqp_url", f"amqp://{USER}:{quote(password, safe='')}@rabbitmq:5672/")
    # read by other users, in volumes that only their containers have
    _write_readable(folder / "rabbitmq" / "rabbitmq.conf", RABBITMQ_CONF.format(user=USER, password=password))
    grafana = folder / "grafana" / "admin_password"
    if not grafana.exists():
        _write_readable(grafana, secrets.token_urlsafe(12))


def _keep(path: Path, fresh: str, given: str | None = None) -> str:
    """What the file holds, now and at every later start; what is given wins."""
    value = given or (path.read_text(encoding="utf-8") if path.exists() else fresh)
    write_private(path, value)
    return value


def _write_readable(path: Path, text: str) -> None:
    write_private(path, text)
    path.chmod(0o644)


@app.command("replica-set")
def initiate_replica_set(member: Annotated[str, typer.Argument(help="Its only member, host:port.")]) -> None:
    """Make a lone mongod a replica set of one, once, and wait for its primary."""
    deadline_s = time.monotonic() + WAIT_S
    while True:
        try:
            with MongoClient[dict[str, object]](
                f"mongodb://{member}/?directConnection=true", serverSelectionTimeoutMS=2000
            ) as client:
                if _is_primary(client, member):
                    return
        except PyMongoError as error:
            if time.monotonic() > deadline_s:
                typer.secho(f"{member} does not become primary: {error}", fg=typer.colors.RED, err=True)
                raise typer.Exit(1) from error
        time.sleep(0.1)


def _is_primary(client: "MongoClient[dict[str, object]]", member: str) -> bool:
    try:
        client.admin.command("replSetGetStatus")
    except OperationFailure as error:
        if error.code != NOT_YET_INITIATED:
            raise
        members = [{"_id": 0, "host": member}]
        try:
            client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
        except OperationFailure as meanwhile:
            if meanwhile.code != ALREADY_INITIATED:
                raise
    return bool(client.admin.command("hello").get("isWritablePrimary"))


@app.command("demo")
def make_demo(
    folder: Annotated[Path, typer.Argument(help="Where demo.env is kept.")],
    url: Annotated[str, typer.Option(help="The router, as this container reaches it.")],
    public_url: Annotated[str, typer.Option(help="The router, as people reach it.")],
    simulator_url: Annotated[str, typer.Option(help="The simulator, as callbacks reach it.")],
) -> None:
    """Wait until all services are ready, make the demo account, and say what to try first."""
    deadline_s = time.monotonic() + WAIT_S
    while not is_ready(url):
        if time.monotonic() > deadline_s:
            typer.secho(f"not ready after {WAIT_S:.0f} s: {problems_of(url)}", fg=typer.colors.RED, err=True)
            raise typer.Exit(1)
        time.sleep(0.2)
    token = Path(os.environ["CARILLON_ADMIN_TOKEN_FILE"]).read_text(encoding="utf-8")
    home = Home(folder)
    home.make()
    try:
        account = demo.ensure_demo(AdminApi(url, token), home, f"{simulator_url}/simulator/callbacks")
    except (ApiError, OSError) as error:
        typer.secho(str(error), fg=typer.colors.RED, err=True)
        raise typer.Exit(1) from error
    demo.write_env(home, _demo_values(account, public_url, token))
    typer.echo(_welcome(account, public_url))


def _demo_values(account: demo.Demo, url: str, token: str) -> Mapping[str, str]:
    return {
        "CARILLON_URL": url,
        "CARILLON_DOOR": account.door,
        "CARILLON_LOGIN": account.login,
        "CARILLON_PASSWORD": account.password,
        "CARILLON_API_KEY": account.api_key,
        "CARILLON_ADMIN_TOKEN": token,
        "CARILLON_SIMULATOR_URL": f"{url}/simulator",
    }


def _welcome(account: demo.Demo, url: str) -> str:
    push = f"{url}/Ext/{account.door}.asp?login={account.login}&password={quote(account.password)}"
    return f"""
Carillon is up.

  send an SMS     curl '{push}&number=33612345678&content=Hello'
  see it arrive   {url}/simulator   (handsets, and the receipts that the demo account gets)
  the JSON API    {url}/v1/messages   (Authorization: Bearer {account.api_key})
  all of it       docker compose run --rm -T --no-deps demo cat /run/carillon/demo/demo.env
"""


@app.command("router")
def print_router() -> None:
    """Print the router's configuration, as the path table has it."""
    from carillon_cli.router import haproxy_config  # noqa: PLC0415 - the web framework takes a second to load

    typer.echo(haproxy_config(), nl=False)
