"""`carillon consents`: whether the consent log holds, as the platform says or by an exported file alone."""

import json
import os
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from carillon_cli.api import AdminApi, ApiError
from carillon_cli.servers import default_home
from carillon_cli.servers.home import Home

app = typer.Typer(no_args_is_help=True, help="The consent log.")


@app.callback()
def consents() -> None:
    """The consent log."""


@app.command()
def verify(
    file: Annotated[
        Path | None,
        typer.Argument(help="NDJSON of GET /v1/consents/export; without it the platform reads its log itself."),
    ] = None,
    head: Annotated[
        str, typer.Option(help="The last hash that you kept: the log must contain it (with a file only).")
    ] = "",
) -> None:
    """Check that no entry was changed, taken out or put in; the exit status is 1 when the log is broken."""
    try:
        verdict = of_file(file, head) if file is not None else _of_platform()
    except (ApiError, OSError, ValueError) as error:
        typer.secho(str(error), fg=typer.colors.RED, err=True)
        raise typer.Exit(2) from error
    if verdict["broken_at"] is None:
        typer.echo(f"{verdict['entries']} entries, the chain holds; head {verdict['head']}")
        return
    typer.secho(f"broken at entry {verdict['broken_at']}: {verdict['reason']}", fg=typer.colors.RED, err=True)
    raise typer.Exit(1)


def of_file(file: Path, head: str = "") -> dict[str, Any]:
    """The verdict on an exported log. `head` finds a log whose end was cut off; ValueError when it is no export."""
    from carillon.runtime.chain import Verifier  # noqa: PLC0415  libraries that take time to load
    from contacts.consent.entry import CONTENT  # noqa: PLC0415

    verifier = Verifier()
    seen_head = not head
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            try:
                content = {field: entry[field] for field in CONTENT}
                good = verifier.take(entry["sequence"], entry["previous"], entry["hash"], content)
            except (KeyError, TypeError):
                raise ValueError(f"{file} is no export of a consent log") from None
            seen_head = seen_head or entry["hash"] == head
            if not good:
                break
    verdict = verifier.verdict
    if verdict.broken_at is None and not seen_head:
        reason = "the hash that was kept is not in it: its end was cut off, or it is another log"
        return {"entries": verdict.entries, "head": verdict.head, "broken_at": verdict.entries + 1, "reason": reason}
    return {
        "entries": verdict.entries,
        "head": verdict.head,
        "broken_at": verdict.broken_at,
        "reason": verdict.reason,
    }


def _of_platform() -> dict[str, Any]:
    values = {**_demo(Home(default_home()).path / "demo.env"), **os.environ}
    if "CARILLON_URL" not in values or "CARILLON_API_KEY" not in values:
        raise ValueError("give CARILLON_URL and CARILLON_API_KEY, or start the platform with `carillon up`")
    api = AdminApi(values["CARILLON_URL"], values["CARILLON_API_KEY"])
    verdict: dict[str, Any] = api.call("GET", "/v1/consents/verify")
    return verdict


def _demo(path: Path) -> dict[str, str]:
    """What `carillon up` wrote down; empty when it has not run here."""
    if not path.exists():
        return {}
    words = [word.partition("=") for word in shlex.split(path.read_text(encoding="utf-8"), comments=True)]
    return {name: value for name, mark, value in words if mark}
