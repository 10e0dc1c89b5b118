"""`carillon parked`: what rests in the parking queues, why, and back with it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import typer

from carillon.bus.parked import SUFFIX, NoQueueError, Parked, Parking, QueueCount, open_parking
from carillon.bus.port import BusDownError
from carillon.bus.topology import DURABLE_QUEUES
from carillon.telemetry.masking import MASK, mask_text, mask_value
from carillon_cli.management import ManagementApi, ManagementError
from carillon_cli.places import AmqpUrl, ManagementUrl, NoPlaceError, Places, find_places
from carillon_cli.servers.home import Home, default_home
from carillon_cli.tables import table

app = typer.Typer(no_args_is_help=True, help="Records that could not be handled: list, show, replay or drop them.")

QueueName = Annotated[str, typer.Argument(help="The queue they belong to, with or without .parked.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]

T = TypeVar("T")
_PERSONAL = frozenset({"name", "attributes", "url", "title", "callback_url", "client_ref"})


@app.command("list")
def list_queues(amqp_url: AmqpUrl = "", management_url: ManagementUrl = "", as_json: Json = False) -> None:
    """Every parking queue that holds something: how many, and since when the oldest.

    Without the management API only the queues of the topology are known, not those of each operator.
    """
    places = _places(amqp_url, management_url)

    async def look(parking: Parking) -> list[tuple[QueueCount, Parked | None]]:
        found: list[tuple[QueueCount, Parked | None]] = []
        for name in queue_names(places):
            try:
                count = await parking.count(name + SUFFIX)
            except NoQueueError:
                continue
            first = await parking.look(name, 1) if count.messages else []
            found.append((count, first[0] if first else None))
        return found

    found = _run(places, look)
    if as_json:
        rows = [
            {
                "queue": count.name.removesuffix(SUFFIX),
                "messages": count.messages,
                "oldest": first and _when(first.parked_at_ms),
                "reason": first and mask_text(first.reason),
            }
            for count, first in found
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    lines = [
        (count.name.removesuffix(SUFFIX), str(count.messages), _when(first.parked_at_ms), mask_text(first.reason))
        for count, first in found
        if first is not None
    ]
    if lines:
        typer.echo(table(("queue", "parked", "oldest", "why the oldest"), lines))
    typer.echo(f"{sum(count.messages for count, _ in found)} parked in {len(found)} queues")


@app.command()
def show(
    queue: QueueName,
    limit: Annotated[int, typer.Option(min=1, help="How many at most, the oldest first.")] = 20,
    clear: Annotated[bool, typer.Option("--clear", help="Numbers, texts and secrets in clear.")] = False,
    as_json: Json = False,
    amqp_url: AmqpUrl = "",
) -> None:
    """Show what is parked; nothing is taken away."""
    name = queue.removesuffix(SUFFIX)
    found = _run(_places(amqp_url), lambda parking: parking.look(name, limit))
    described = [describe(parked, clear) for parked in found]
    if as_json:
        typer.echo(json.dumps(described, indent=2, ensure_ascii=False))
        return
    for one in described:
        typer.echo(f"{one['id']}  {one['event']}  parked {one['parked_at']}")
        typer.echo(f"  reason    {one['reason']}")
        for death in one["deaths"]:
            typer.echo(f"  death     {death}")
        if one["attempts"] or one["replayed"]:
            typer.echo(f"  attempts  {one['attempts']}, replayed {one['replayed']} times")
        for record in one["records"]:
            typer.echo(f"  record    {json.dumps(record, ensure_ascii=False)}")
    typer.echo(f"{len(found)} shown")


@app.command()
def replay(
    queue: QueueName,
    all_: Annotated[bool, typer.Option("--all", help="Everything that is parked now.")] = False,
    ids: Annotated[list[str] | None, typer.Option("--id", help="These, by the ids that `show` gives.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="So many, the oldest first.")] = None,
    drop: Annotated[bool, typer.Option("--drop", help="Discard them for good instead.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Discard without asking.")] = False,
    amqp_url: AmqpUrl = "",
) -> None:
    """Put parked records back into their queue.

    Each is confirmed there before it leaves the parking queue. If this command is killed in between, a record is in
    both: replay it again, consumers bear being told twice.
    """
    if sum((all_, bool(ids), limit is not None)) != 1:
        raise typer.BadParameter("say which: --all, --id ID (as often as needed), or --limit N")
    name = queue.removesuffix(SUFFIX)
    which = "everything" if all_ else f"{len(ids)} by id" if ids else f"the {limit} oldest"
    if drop and not yes:
        typer.confirm(f"Discard {which} parked for {name}? What they meant will never happen.", abort=True)

    async def act(parking: Parking) -> list[Parked]:
        method = parking.drop if drop else parking.replay
        return await method(name, ids=frozenset(ids) if ids else None, limit=limit)

    done = _run(_places(amqp_url), act)
    typer.echo(f"{len(done)} {'discarded' if drop else f'put back into {name}'}")
    missed = set(ids or ()) - {parked.id for parked in done}
    if missed:
        raise _fail(f"not parked there: {', '.join(sorted(missed))}")


def queue_names(places: Places) -> list[str]:
    """Names of all durable queues that have a parking queue: those that the broker knows, and the topology's."""
    names = {queue.name for queue in DURABLE_QUEUES}
    if places.management_url:
        queues = ManagementApi(places.management_url, places.vhost).queues()
        names |= {name.removesuffix(SUFFIX) for name in queues if name.endswith(SUFFIX)}
    return sorted(names)


def describe(parked: Parked, clear: bool) -> dict[str, Any]:
    """A parked message as JSON shows it; numbers, texts and secrets are masked unless `clear`."""
    return {
        "id": parked.id,
        "event": parked.event or "(no name)",
        "parked_at": _when(parked.parked_at_ms),
        "reason": parked.reason if clear else mask_text(parked.reason),
        "deaths": list(parked.deaths),
        "attempts": parked.attempts,
        "replayed": parked.replayed,
        "records": _records(parked.body, clear),
    }


def _records(body: bytes, clear: bool) -> list[Any]:
    try:
        records = json.loads(body)
    except ValueError:
        return [body.decode(errors="replace") if clear else f"({len(body)} bytes that are no JSON; --clear shows them)"]
    listed = records if isinstance(records, list) else [records]
    return listed if clear else [_hide(mask_value(record)) for record in listed]


def _hide(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: MASK if key in _PERSONAL and held else _hide(held) for key, held in value.items()}
    return [_hide(held) for held in value] if isinstance(value, list) else value


def _when(at_ms: int | None) -> str:
    if at_ms is None:
        return "at an unknown time"
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _places(amqp_url: str, management_url: str = "") -> Places:
    return find_places(Home(default_home()), amqp_url=amqp_url, management_url=management_url)


def _run(places: Places, work: Callable[[Parking], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_parking(places.need("amqp_url")) as parking:
            return await work(parking)

    try:
        return asyncio.run(run())
    except (NoPlaceError, NoQueueError, ManagementError, BusDownError, OSError) as error:
        raise _fail(str(error) or type(error).__name__) from error


def _fail(text: str) -> typer.Exit:
    typer.secho(text, fg=typer.colors.RED, err=True)
    return typer.Exit(1)
