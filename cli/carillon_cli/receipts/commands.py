"""`carillon receipts tail` and `carillon receipts export`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from carillon_cli.servers import default_home, rabbitmq
from carillon_cli.servers.home import Home

app = typer.Typer(no_args_is_help=True, help="Status changes of all messages, from the broker's receipt stream.")


class FormatName(StrEnum):
    """How rows are written."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"


Url = Annotated[
    str, typer.Option("--amqp-url", envvar="CARILLON_AMQP_URL", help="The broker; default: that of `carillon up`.")
]
To = Annotated[str, typer.Option("--to", help="An RFC 3339 time: only events written before then.")]
Account = Annotated[str, typer.Option(help="Only this account's rows, acc_...")]
FormatOption = Annotated[FormatName, typer.Option("--format", help="How rows are written.")]
OutputOption = Annotated[
    Path | None, typer.Option(help="A file; for Parquet a folder. The same command again goes on where it ended.")
]
AllowGap = Annotated[bool, typer.Option("--allow-gap", help="Go on behind entries that retention has deleted.")]


@app.command()
def tail(
    url: Url = "",
    begin: Annotated[str, typer.Option("--from", help="first, last, next, an offset, or an RFC 3339 time.")] = "next",
    to: To = "",
    account: Account = "",
    format_: FormatOption = FormatName.NDJSON,
    output: OutputOption = None,
    allow_gap: AllowGap = False,
) -> None:
    """Write status changes as they come, until Ctrl-C; a broker that is away is waited for."""
    _run(url, begin, to, account, format_, output, allow_gap, follow=True)


@app.command()
def export(
    url: Url = "",
    begin: Annotated[str, typer.Option("--from", help="first, last, an offset, or an RFC 3339 time.")] = "first",
    to: To = "",
    account: Account = "",
    format_: FormatOption = FormatName.NDJSON,
    output: OutputOption = None,
    allow_gap: AllowGap = False,
) -> None:
    """Write what the stream holds now, and end."""
    if begin == "next":
        raise typer.BadParameter("an export of what comes next is empty: use tail", param_hint="--from")
    _run(url, begin, to, account, format_, output, allow_gap, follow=False)


def _run(
    url: str,
    begin: str,
    to: str,
    account: str,
    format_: FormatName,
    output: Path | None,
    allow_gap: bool,
    *,
    follow: bool,
) -> None:
    # the broker's library takes half a second to load: only who reads the stream waits for it
    from carillon_cli.receipts.run import Failure, Request, run  # noqa: PLC0415

    if output is None and format_ is FormatName.PARQUET:
        raise typer.BadParameter("Parquet needs a folder", param_hint="--output")
    broker = url or rabbitmq.remembered_url(Home(default_home()))
    if broker is None:
        raise typer.BadParameter("which broker? Give --amqp-url or CARILLON_AMQP_URL", param_hint="--amqp-url")
    try:
        request = Request.parse(begin, to, account, format_.value, output, follow=follow, allow_gap=allow_gap)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    try:
        run(broker, request, _say)
    except Failure as failure:
        typer.secho(str(failure), fg=typer.colors.RED, err=True)
        raise typer.Exit(failure.exit_code) from failure


def _say(line: str) -> None:
    typer.echo(line, err=True)
