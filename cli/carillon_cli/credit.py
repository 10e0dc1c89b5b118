"""`carillon account`, `carillon prices`, `carillon ledger`: the platform team's tools, over the accounts' admin API."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from carillon.runtime.money import format_amount, parse_amount
from carillon_cli.api import AdminApi, ApiError
from carillon_cli.places import NoPlaceError, find_places
from carillon_cli.servers import default_home
from carillon_cli.servers.home import Home

account_app = typer.Typer(no_args_is_help=True, help="Make accounts, look at them, give them credit.")
prices_app = typer.Typer(no_args_is_help=True, help="Price lists, as CSV: prefix;destination;price;from;until.")
ledger_app = typer.Typer(no_args_is_help=True, help="The credit ledger.")

Json = Annotated[bool, typer.Option("--json", help="The API's answer as it came.")]


@account_app.command("create")
def create_account(
    name: Annotated[str, typer.Argument(help="What it is called.")],
    prepaid: Annotated[bool, typer.Option(help="Messages are charged to its credit.")] = False,
    currency: Annotated[str, typer.Option(help="ISO 4217.")] = "EUR",
    country: Annotated[str, typer.Option(help="National numbers are read as of this country.")] = "FR",
) -> None:
    """Make an account, and print its id."""
    body = {"name": name, "prepaid": prepaid, "currency": currency, "country": country}
    typer.echo(_call("POST", "/admin/accounts", body)["id"])


@account_app.command("show")
def show_account(account: str, as_json: Json = False) -> None:
    """An account and its credit."""
    shown = _call("GET", f"/admin/accounts/{account}")
    credit = _call("GET", f"/admin/accounts/{account}/credit")
    if as_json:
        typer.echo(json.dumps({**shown, "credit": credit}, indent=2))
        return
    typer.echo(f"{shown['id']}  {shown['name']}  {shown['state']}{'  prepaid' if shown['prepaid'] else ''}")
    typer.echo(f"balance {_amount(credit, 'balance')}, available {_amount(credit, 'available')}")


@account_app.command("topup")
def top_up_account(
    account: str,
    amount: Annotated[str, typer.Argument(help="Such as 25 or 12.50; after --, -5 takes credit away.")],
    key: Annotated[str, typer.Option(help="Your reference: the same one again changes nothing.")],
) -> None:
    """Give credit that was paid otherwise."""
    try:
        micros = parse_amount(amount)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    credit = _call("POST", f"/admin/accounts/{account}/credit", {"amount_micros": micros, "key": key})
    typer.echo(f"balance {_amount(credit, 'balance')}")


@prices_app.command("import")
def import_prices(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    price_list: Annotated[str, typer.Option("--list", help="prl_... to replace; none: a new one is made.")] = "",
    name: Annotated[str, typer.Option(help="Of the new list.")] = "Prices",
    currency: Annotated[str, typer.Option(help="Of the new list, ISO 4217.")] = "EUR",
    default: Annotated[bool, typer.Option(help="The new list is for every account that has none of its own.")] = False,
) -> None:
    """Replace all rates of a price list by a CSV file: all of it, or nothing and every wrong line told."""
    if not price_list:
        body = {"name": name, "currency": currency, "default": default}
        price_list = _call("POST", "/admin/price-lists", body)["id"]
    put = _call_csv("PUT", f"/admin/price-lists/{price_list}/rates", file.read_bytes())
    typer.echo(f"{price_list}  {json.loads(put)['rates']} rates")


@prices_app.command("export")
def export_prices(price_list: Annotated[str, typer.Argument(help="prl_...; none: the lists are listed.")] = "") -> None:
    """Print a price list as CSV."""
    if price_list:
        typer.echo(_call_csv("GET", f"/admin/price-lists/{price_list}/rates", None).decode(), nl=False)
        return
    for known in _call("GET", "/admin/price-lists")["items"]:
        default = "  default" if known["default"] else ""
        typer.echo(f"{known['id']}  {known['currency']}  {known['rates']} rates  {known['name']}{default}")


@ledger_app.command("check")
def check_ledger() -> None:
    """The trial balance; the exit status is 1 unless the sum is zero and every lease is accounted for."""
    told = _call("GET", "/admin/ledger/check")
    for line in told["wrong"]:
        typer.secho(line, fg=typer.colors.RED, err=True)
    if not told["balances"]:
        raise typer.Exit(1)
    typer.echo("the ledger balances")


def _api() -> AdminApi:
    places = find_places(Home(default_home()))
    return AdminApi(places.need("url"), places.need("admin_token"))


def _call(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    try:
        return _api().call(method, path, body)
    except (ApiError, NoPlaceError, OSError) as error:
        raise _failed(error) from error


def _call_csv(method: str, path: str, body: bytes | None) -> bytes:
    try:
        return _api().call_raw(method, path, body, "text/csv")
    except (ApiError, NoPlaceError, OSError) as error:
        raise _failed(error) from error


def _failed(error: BaseException) -> typer.Exit:
    typer.secho(str(error), fg=typer.colors.RED, err=True)
    return typer.Exit(1)


def _amount(credit: dict[str, Any], field: str) -> str:
    return f"{format_amount(credit[f'{field}_micros'])} {credit['currency']}"
