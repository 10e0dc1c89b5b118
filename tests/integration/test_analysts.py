"""One and the same run, seen in every way: stream, files, server-sent events, API, statistics and counters agree."""

import asyncio
import json
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
from tests.integration.test_every_kind_of_message import Client

from carillon.receipts.reader import ReceiptReader
from carillon.receipts.rows import COLUMNS
from carillon_cli import up as platform
from carillon_cli.servers import Home
from carillon_cli.servers.ports import choose_ports

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

_MESSAGES = 3_000
# how the simulator's numbers end: absent, expired, never reported, refused, reported twice, rejected, ...
_FATES = ("0001", "0002", "0003", "0006", "0007", "0008", "0009", "0010", "0013", *(f"1{n:03d}" for n in range(41)))
_COUNTRIES = ("336124", "324701", "49151212", "346123")
_OPEN = {"accepted", "submitted"}
_QUERIES = dict(
    re.findall(r"```sql (\w+)\n(.*?)```", (Path(__file__).parents[2] / "docs" / "analysts.md").read_text(), re.DOTALL)
)


class Run:
    """The platform after the run: its addresses, and the ids that were accepted."""

    def __init__(self, client: Client, amqp_url: str) -> None:
        self.amqp_url = amqp_url
        self.url = client.env["CARILLON_URL"]
        self.headers = {"Authorization": f"Bearer {client.env['CARILLON_API_KEY']}"}
        self.ids: list[str] = []
        self.http = httpx.AsyncClient(base_url=self.url, headers=self.headers, timeout=60)

    async def command(self, *words: str, code: int = 0) -> bytes:
        """What `carillon receipts ...` prints."""
        process = await self.start(*words)
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == code, err.decode()
        return out

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "carillon_cli", "receipts", *words,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "CARILLON_AMQP_URL": self.amqp_url, "PYTHONPATH": ":".join(sys.path)},
        )  # fmt: skip

    async def listed(self) -> dict[str, dict[str, Any]]:
        """All messages as the API lists them."""
        found: dict[str, dict[str, Any]] = {}
        cursor: str | None = None
        while True:
            parameters: dict[str, Any] = {"limit": 500, **({"cursor": cursor} if cursor else {})}
            page = (await self.http.get("/v1/messages", params=parameters)).json()
            found |= {item["id"]: item for item in page["items"]}
            cursor = page["next"]
            if cursor is None:
                return found

    async def stats(self, group_by: str) -> dict[str, Any]:
        answer = await self.http.get("/v1/stats", params={"group_by": group_by})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body


@pytest.fixture
async def run(vhost_url: str, mongo_url: str, mongo_prefix: str, tmp_path: Path) -> AsyncIterator[Run]:
    patch = pytest.MonkeyPatch()
    patch.setenv("CARILLON_AMQP_URL", vhost_url)
    patch.setenv("CARILLON_MONGO_URL", mongo_url)
    patch.setenv("CARILLON_MONGO_PREFIX", mongo_prefix)
    home = Home(tmp_path / "home")
    try:
        port = choose_ports(home.path, ["front"], 17_000)["front"]
        await asyncio.to_thread(platform.bring_up, home, port, False, lambda _: None)
        run = Run(Client(home), vhost_url)
        await _send(run)
        yield run
        await run.http.aclose()
    finally:
        await asyncio.to_thread(platform.bring_down, home, lambda _: None)
        patch.undo()


async def _send(run: Run) -> None:
    """All messages, and then until nothing more is to be expected of any."""
    numbers = [f"{_COUNTRIES[n % 4]}{n // 50 % 10}{_FATES[n % 50]}" for n in range(_MESSAGES)]
    for at in range(0, _MESSAGES, 500):
        messages = [{"to": number, "text": f"message {n}"} for n, number in enumerate(numbers[at : at + 500])]
        answer = await run.http.post("/v1/messages", json={"messages": messages})
        results = answer.json()["results"]
        assert {result.get("status") for result in results} == {"accepted"}, results[:3]
        run.ids += [result["id"] for result in results]
    waiting = sum(number.endswith("0003") for number in numbers)
    async with asyncio.timeout(90):
        while True:
            stats = await run.stats("status")
            counts = {group["group"]["status"]: group["messages"] for group in stats["groups"]}
            is_over = sum(counts.get(status, 0) for status in _OPEN) == waiting
            if stats["is_fresh"] and is_over and stats["total"]["messages"] == _MESSAGES:
                return
            await asyncio.sleep(0.5)


async def test_every_view_of_one_run_agrees(run: Run, tmp_path: Path) -> None:
    listed = await run.listed()
    assert set(listed) == set(run.ids)
    rows = [json.loads(line) for line in (await run.command("export")).splitlines()]
    assert all(tuple(row) == COLUMNS for row in rows)
    assert all(row["number"] is None for row in rows)
    newest = _newest(rows)
    for id_, message in listed.items():
        row = newest[id_]
        shown = {
            name: message[name] for name in ("status", "previous", "operator", "country", "error", "parts", "lane")
        }
        assert {name: row[name] for name in shown} == shown
        assert (row["status_at"], row["accepted_at"]) == (message["status_at"], message["accepted_at"])
    assert len({row["status"] for row in newest.values()}) >= 4
    await _counters_agree(run, rows)
    await _statistics_agree(run, list(listed.values()))
    await _events_agree(run, rows)
    await _files_agree(run, rows, tmp_path)
    await _a_killed_tail_is_gone_on_with(run, tmp_path)
    await _a_stopped_tail_has_written_what_it_saw(run, tmp_path)


async def _counters_agree(run: Run, rows: list[dict[str, Any]]) -> None:
    text = (await run.http.get("/metrics")).text
    told: Counter[str] = Counter()
    for labels, count in re.findall(r"^carillon_receipts_total\{(.*)\} (\S+)$", text, re.MULTILINE):
        told[dict(re.findall(r'(\w+)="([^"]*)"', labels))["status"]] += int(float(count))
    assert told == Counter(row["status"] for row in rows)


async def _statistics_agree(run: Run, messages: list[dict[str, Any]]) -> None:
    for group_by in ("status", "country,operator", "error,status", "hour", "day,sender", "campaign"):
        names = group_by.split(",")
        expected: Counter[tuple[Any, ...]] = Counter()
        parts: Counter[tuple[Any, ...]] = Counter()
        for message in messages:
            values = {
                **message,
                "hour": message["accepted_at"][:13] + ":00:00Z",
                "day": message["accepted_at"][:10],
            }
            key = tuple(values[name] for name in names)
            expected[key] += 1
            parts[key] += message["parts"]
        stats = await run.stats(group_by)
        groups = {tuple(group["group"][name] for name in names): group for group in stats["groups"]}
        assert {key: group["messages"] for key, group in groups.items()} == expected
        assert {key: group["parts"] for key, group in groups.items()} == parts
        assert stats["total"]["delivered"] == sum(message["status"] == "delivered" for message in messages)


async def _events_agree(run: Run, rows: list[dict[str, Any]]) -> None:
    """Server-sent events, read in pieces that end anywhere: nothing twice, nothing missing."""
    found: list[tuple[int, int]] = []
    last_id: str | None = None
    wanted = len(rows)
    pieces = 0
    while len(found) < wanted:
        headers = {"Last-Event-ID": last_id} if last_id is not None else {}
        async with (
            asyncio.timeout(30),
            run.http.stream("GET", "/v1/receipts/stream", params={"offset": "first"}, headers=headers) as answer,
        ):
            taken = 0
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    last_id = value
                elif name == "data":
                    event = json.loads(value)
                    assert last_id is not None
                    found += [(int(last_id), place) for place in range(len(event["data"]))]
                    taken += 1
                    if taken == 1 + pieces % 5 or len(found) >= wanted:
                        break
        pieces += 1
    assert found == [(row["stream_offset"], row["place"]) for row in rows]
    assert (await run.http.get("/v1/receipts/stream", headers={"Last-Event-ID": "x"})).status_code == 422


async def _files_agree(run: Run, rows: list[dict[str, Any]], folder: Path) -> None:
    whole = await run.http.get("/v1/receipts/export")
    assert [json.loads(line) for line in whole.text.splitlines()] == rows
    following = int(whole.headers["Carillon-Next-Offset"])
    assert following == rows[-1]["stream_offset"] + 1
    middle = rows[len(rows) // 2]["stream_offset"]
    rest = await run.http.get("/v1/receipts/export", params={"from": middle})
    assert [json.loads(line) for line in rest.text.splitlines()] == [r for r in rows if r["stream_offset"] >= middle]
    assert (await run.http.get("/v1/receipts/export", params={"from": following})).content == b""
    written = sorted({row["event_time"] for row in rows})
    cut = written[len(written) // 2]
    early = await run.http.get("/v1/receipts/export", params={"to": cut, "format": "csv"})
    late = await run.http.get("/v1/receipts/export", params={"from": cut})
    header, *lines = early.text.splitlines()
    assert header == ",".join(COLUMNS)
    assert len(lines) == sum(row["event_time"] < cut for row in rows)
    assert len(late.text.splitlines()) == sum(row["event_time"] >= cut for row in rows)
    parquet = folder / "http" / "receipts"
    parquet.mkdir(parents=True)
    answer = await run.http.get("/v1/receipts/export", params={"format": "parquet"})
    (parquet / "part.parquet").write_bytes(answer.content)
    connection = duckdb.connect()
    connection.execute(f"SET file_search_path = '{folder / 'http'}'")
    told = {name: connection.execute(query).fetchall() for name, query in _QUERIES.items()}
    newest = Counter(row["status"] for row in _newest(rows).values())
    assert sum(delivered for _, _, _, delivered, _ in told["delivery_rate_by_operator_and_day"]) == newest["delivered"]
    assert sum(count for *_, count in told["failures_by_reason"]) == newest["undelivered"] + newest["refused"]
    assert sum(count for _, _, count, _ in told["without_a_final_status"]) == newest["submitted"]


async def _a_killed_tail_is_gone_on_with(run: Run, tmp_path: Path) -> None:
    whole = (await run.command("export")).splitlines()
    for name, read in (("a.ndjson", _lines), ("a.csv", _lines), ("parts", _parts)):
        output = tmp_path / name
        words = ("--from", "first", "--format", {"a.ndjson": "ndjson", "a.csv": "csv"}.get(name, "parquet"))
        tail = await run.start("tail", *words, "--output", str(output))
        state = output.parent / f"{name}.state" if name != "parts" else output / "_state"
        await _committed(state)
        tail.kill()
        await tail.wait()
        if name != "parts":  # as if it had been killed between the rows and the state
            with output.open("ab") as file:
                file.write(b'{"half a li')
        await run.command("export", *words, "--output", str(output))
        assert read(output) == len(whole) + (name == "a.csv")
        await run.command("export", *words, "--output", str(output))
        assert read(output) == len(whole) + (name == "a.csv")
    assert (tmp_path / "a.ndjson").read_bytes().splitlines() == whole
    await run.command("export", "--output", str(tmp_path / "a.ndjson"), "--account", "acc_other", code=3)
    await run.command("export", "--account", "acc_other", "--output", str(tmp_path / "none.ndjson"))
    assert (tmp_path / "none.ndjson").read_bytes() == b""


async def _a_stopped_tail_has_written_what_it_saw(run: Run, tmp_path: Path) -> None:
    output = tmp_path / "tail.ndjson"
    tail = await run.start("tail", "--from", "first", "--output", str(output))
    reader = ReceiptReader(run.amqp_url)
    async with aclosing(reader.entries("first")) as entries:
        first = (await anext(entries)).offset
    assert first == await reader.first_offset()
    await _committed(output.with_name("tail.ndjson.state"))
    tail.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(tail.wait(), 20) == 0
    seen, whole = output.read_bytes(), await run.command("export")
    assert seen
    assert whole.startswith(seen)
    assert json.loads(output.with_name("tail.ndjson.state").read_text())["size_bytes"] == len(seen)


async def _committed(state: Path) -> None:
    """Return when some rows count."""
    async with asyncio.timeout(60):
        while not _has_rows(state):
            await asyncio.sleep(0.02)


def _has_rows(state: Path) -> bool:
    return state.exists() and json.loads(state.read_text())["next_offset"] is not None


def _newest(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    newest: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["message_id"] not in newest or row["sequence"] >= newest[row["message_id"]]["sequence"]:
            newest[row["message_id"]] = row
    return newest


def _lines(path: Path) -> int:
    return len(path.read_bytes().splitlines())


def _parts(path: Path) -> int:
    query = f"SELECT count(*), count(DISTINCT (stream_offset, place)) FROM '{path}/*.parquet'"
    [(count, distinct)] = duckdb.connect().execute(query).fetchall()
    assert count == distinct
    return int(count)
