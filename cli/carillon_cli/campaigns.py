"""`carillon campaign` and `carillon send`: make campaigns, drive them and watch them; send one message."""

import json
import time
import urllib.parse
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from carillon_cli.account_api import AccountApi, account_api
from carillon_cli.api import ApiError

app = typer.Typer(no_args_is_help=True, help="Campaigns of an account: make, start, pause, resume, cancel, watch.")

_POLL_S = 0.5
_BAR = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
_COUNTS = ("recipients", "sent", "delivered", "suppressed", "refused", "cancelled", "pending")
_ENDS = ("delivered", "undelivered", "refused", "suppressed", "cancelled", "lost")

Id = Annotated[str, typer.Argument(help="cmp_...")]
AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


@app.command()
def create(
    name: Annotated[str, typer.Option(help="What you call it.")],
    text: Annotated[str, typer.Option(help="Its text; {name|client} is the recipient's name, or client.")] = "",
    template: Annotated[str, typer.Option(help="A template's name, in place of a text.")] = "",
    group: Annotated[list[str] | None, typer.Option(help="Members of this group; may be given again.")] = None,
    everyone: Annotated[bool, typer.Option("--all", help="All contacts.")] = False,
    file: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Numbers of a CSV or .xlsx.")] = None,
    to: Annotated[list[str] | None, typer.Option(help="A number; may be given again.")] = None,
    at: Annotated[str, typer.Option(help="When to start: 2026-11-23T09:00, of this machine's clock.")] = "",
    rate: Annotated[int | None, typer.Option(help="Messages a minute at most.")] = None,
    profile: Annotated[str, typer.Option(help="Legal windows: none, fr-marketing, ...")] = "none",
    sender: Annotated[str, typer.Option(help="Who it is from; default: the account's.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a campaign. It is a draft until it is started."""

    def made(api: AccountApi) -> Any:
        audience: dict[str, Any] = {"everyone": everyone, "numbers": to or []}
        audience["groups"] = [_group_id(api, each) for each in group or []]
        if file is not None:
            audience["file"] = _uploaded(api, file)
        body: dict[str, Any] = {"name": name, "audience": audience, "profile": profile, "rate_per_minute": rate}
        body |= {"text": text} if text else {}
        body |= {"template": template} if template else {}
        body |= {"sender": sender} if sender else {}
        body |= {"start_at": datetime.fromisoformat(at).astimezone().isoformat()} if at else {}
        return api.call("POST", "/v1/campaigns", body)

    _show(_call(made), as_json)


@app.command()
def start(campaign: Id, as_json: AsJson = False) -> None:
    """Start a draft, now or when its time comes."""
    _show(_call(lambda api: _started(api, campaign)), as_json)


@app.command()
def pause(campaign: Id, as_json: AsJson = False) -> None:
    """Say nothing more for now."""
    _act(campaign, "pause", as_json)


@app.command()
def resume(campaign: Id, as_json: AsJson = False) -> None:
    """Go on."""
    _act(campaign, "resume", as_json)


@app.command()
def cancel(campaign: Id, as_json: AsJson = False) -> None:
    """Say nothing more, for good."""
    _act(campaign, "cancel", as_json)


@app.command()
def show(campaign: Id, as_json: AsJson = False) -> None:
    """How it goes."""
    _show(_call(lambda api: api.call("GET", f"/v1/campaigns/{campaign}")), as_json)


@app.command()
def watch(campaign: Id, as_json: AsJson = False) -> None:
    """Follow it to its end. Exit status 1: it was cancelled."""
    view = _call(lambda api: _watched(api, campaign))
    _show(view, as_json)
    if view["state"] != "finished":
        raise typer.Exit(1)


def send(
    to: Annotated[str, typer.Option(help="The number.")],
    text: Annotated[str, typer.Option(help="What to say.")],
    sender: Annotated[str, typer.Option(help="Who it is from; default: the account's.")] = "",
    wait: Annotated[
        bool, typer.Option("--wait", help="Until its fate is known; exit status 1: not delivered.")
    ] = False,
    timeout_s: Annotated[float, typer.Option(help="How long to wait.")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Send one message."""
    body = {"to": to, "text": text, **({"sender": sender} if sender else {})}
    message = _call(lambda api: api.call("POST", "/v1/messages", body))
    if wait:
        message = _call(lambda api: _settled(api, message, timeout_s))
    typer.echo(json.dumps(message, ensure_ascii=False) if as_json else f"{message['id']} {message['status']}")
    if wait and message["status"] != "delivered":
        raise typer.Exit(1)


def _act(campaign: str, verb: str, as_json: bool) -> None:
    _show(_call(lambda api: api.call("POST", f"/v1/campaigns/{campaign}:{verb}")), as_json)


def _call(work: Callable[[AccountApi], Any]) -> Any:
    try:
        return work(account_api())
    except (ApiError, OSError, ValueError) as error:
        typer.secho(str(error), fg=typer.colors.RED, err=True)
        raise typer.Exit(1) from error


def _show(view: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(view, ensure_ascii=False))
        return
    typer.echo(f"{view['id']}  {view['name']}  {view['state']}")
    typer.echo("  ".join(f"{name} {view[name]}" for name in _COUNTS))


def _started(api: AccountApi, campaign: str) -> Any:
    """Started; a large audience may have to be counted first, which takes longer than one request."""
    while True:
        try:
            return api.call("POST", f"/v1/campaigns/{campaign}:start")
        except ApiError as error:
            if error.code != "quote_running":
                raise
        typer.echo("its audience is being counted", err=True)


def _watched(api: AccountApi, campaign: str) -> Any:
    """The campaign at its end; a bar shows how far it is."""
    with Progress(*_BAR, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=None)
        while True:
            view = api.look(f"/v1/campaigns/{campaign}")
            done = view["recipients"] - view["pending"] - view["awaiting"]
            description = f"{view['state']}: {view['sent']} sent, {view['delivered']} delivered"
            progress.update(bar, total=view["recipients"] or None, completed=done, description=description)
            if view["state"] == "finished" or (view["state"] == "cancelled" and not view["pending"]):
                return view
            time.sleep(_POLL_S)


def _settled(api: AccountApi, message: dict[str, Any], timeout_s: float) -> Any:
    """The message when it has its last word, or as it is when the time is over."""
    until_s = time.monotonic() + timeout_s
    while time.monotonic() < until_s:
        try:
            message = api.look(f"/v1/messages/{message['id']}")
        except ApiError as error:
            if error.status != 404:  # it was taken a moment ago and is not recorded yet
                raise
        if message["status"] in _ENDS:
            break
        time.sleep(_POLL_S / 2)
    return message


def _uploaded(api: AccountApi, file: Path) -> str:
    """Upload the numbers of an audience and wait until they are read."""
    import_ = api.upload("/v1/imports", file, {"file_name": file.name, "kind": "audience"})
    while import_["state"] not in ("finished", "failed"):
        time.sleep(_POLL_S)
        import_ = api.look(f"/v1/imports/{import_['id']}")
    if import_["state"] == "failed":
        raise ApiError(422, import_["problem"] or "the file could not be read")
    return str(import_["id"])


def _group_id(api: AccountApi, name: str) -> str:
    wanted = " ".join(name.casefold().split())
    found = api.call("GET", "/v1/groups?" + urllib.parse.urlencode({"name": name, "limit": "500"}))
    for group in found["items"]:
        if " ".join(group["name"].casefold().split()) == wanted:
            return str(group["id"])
    raise ApiError(404, f"there is no group {name}")
