"""`carillon contacts`: import a file, list who is there."""

import json
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from carillon_cli.account_api import AccountApi, account_api
from carillon_cli.api import ApiError

app = typer.Typer(no_args_is_help=True, help="Contacts of an account: import a file, list them.")

_POLL_S = 0.3
_PAGE = 500
_SHOWN_ERRORS = 10


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="CSV or .xlsx")],
    group: Annotated[str, typer.Option(help="A group for all rows; made if it is missing.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would become of it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the import as JSON at its end.")] = False,
) -> None:
    """Import contacts. Exit status 1: the file could not be read. Refused rows are told, and are no failure."""
    try:
        api = account_api()
        options = {"file_name": file.name, "dry_run": "true" if dry_run else "false"}
        if group:
            options["group"] = group
        import_ = _watched(api, api.upload("/v1/imports", file, options))
    except (ApiError, OSError) as error:
        raise _fail(error) from error
    if as_json:
        typer.echo(json.dumps(import_, ensure_ascii=False))
    else:
        typer.echo(_summary(import_))
    if import_["state"] != "finished":
        typer.secho(import_["problem"] or import_["state"], fg=typer.colors.RED, err=True)
        raise typer.Exit(1)


@app.command("list")
def list_contacts(
    group: Annotated[str, typer.Option(help="Only members of this group.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List contacts in the order of their numbers."""
    try:
        api = account_api()
        found = _contacts(api, group)
        if as_json:
            for contact in found:
                typer.echo(json.dumps(contact, ensure_ascii=False))
            return
        table = Table("number", "name", "groups", "language", "suppressed")
        for contact in found:
            groups = ", ".join(each["name"] for each in contact["groups"])
            table.add_row(
                contact["number"], contact["name"], groups, contact["language"] or "", contact["suppressed"] or ""
            )
    except (ApiError, OSError) as error:
        raise _fail(error) from error
    Console().print(table)


def _watched(api: AccountApi, import_: dict[str, Any]) -> dict[str, Any]:
    """The import at its end; a bar shows how far it is."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("importing", total=1.0)
        while import_["state"] not in ("finished", "failed"):
            time.sleep(_POLL_S)
            import_ = api.look(f"/v1/imports/{import_['id']}")
            progress.update(bar, completed=import_["progress"], description=f"{import_['counts']['rows']} rows")
    return import_


def _summary(import_: dict[str, Any]) -> str:
    counts = import_["counts"]
    would = "would be " if import_["dry_run"] else ""
    lines = [
        f"{counts['rows']} rows: {counts['created']} contacts {would}created, {counts['updated']} {would}updated, "
        f"{counts['unchanged']} unchanged, {counts['refused']} refused"
    ]
    lines += [f"group {group['name']} created" for group in import_["groups_created"]]
    lines += [f"row {row['line']}: {row['problem']}" for row in import_["preview"] if row["problem"]][:_SHOWN_ERRORS]
    if counts["refused"] or counts["noted"]:
        lines.append(f"reasons by row: GET /v1/imports/{import_['id']}/errors")
    return "\n".join(lines)


def _contacts(api: AccountApi, group: str) -> Iterator[dict[str, Any]]:
    query = {"limit": str(_PAGE)}
    if group:
        query["group"] = _group_id(api, group)
    while True:
        page = api.call("GET", "/v1/contacts?" + urllib.parse.urlencode(query))
        yield from page["items"]
        if page["next"] is None:
            return
        query["cursor"] = page["next"]


def _group_id(api: AccountApi, name: str) -> str:
    wanted = " ".join(name.casefold().split())
    found = api.call("GET", "/v1/groups?" + urllib.parse.urlencode({"name": name, "limit": str(_PAGE)}))
    for group in found["items"]:
        if " ".join(group["name"].casefold().split()) == wanted:
            return str(group["id"])
    raise ApiError(404, f"there is no group {name}")


def _fail(error: BaseException) -> typer.Exit:
    typer.secho(str(error), fg=typer.colors.RED, err=True)
    return typer.Exit(1)
