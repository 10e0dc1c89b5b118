"""docs/analysts.md: its five questions are asked exactly as written, of a generated run, and its table is the rows'."""

import random
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import duckdb
import pytest

from carillon.events.message import Status, StatusChanged
from carillon.events.stream import decode_event
from carillon.receipts.formats import NULLABLE
from carillon.receipts.rows import COLUMNS, Row, rows_of
from carillon.runtime.clock import parse_rfc3339
from carillon_cli.receipts.checkpoint import ParquetFolder
from receipt.domain.status import SEQUENCE
from receipt.domain.stream import cloud_event

DOCUMENT = (Path(__file__).parents[2] / "docs" / "analysts.md").read_text(encoding="utf-8")
QUERIES = dict(re.findall(r"```sql (\w+)\n(.*?)```", DOCUMENT, re.DOTALL))
_BEGIN_MS = 1_795_000_000_000
_ENDS: tuple[Status | None, ...] = ("delivered", "delivered", "delivered", "undelivered", "lost", None)
_FINAL = {"delivered", "undelivered", "refused", "suppressed", "cancelled", "lost"}


def _changes(dice: random.Random, id_: int) -> list[tuple[StatusChanged, str]]:
    accepted_at = _BEGIN_MS + dice.randrange(3 * 86_400_000)
    facts: dict[str, Any] = {
        "id": id_, "account": dice.choice(["acc_1", "acc_2"]), "number": "33612345678", "lane": "bulk",
        "parts": dice.choice([1, 1, 2]), "campaign": dice.choice(["cmp_1", "cmp_2", None]), "accepted_at": accepted_at,
        "price_micros": dice.choice([None, 70_000, 140_000]),
    }  # fmt: skip
    country = dice.choice(["FR", "BE", "DE"])
    said = [StatusChanged(status="accepted", at=accepted_at, **facts)]
    if dice.random() < 0.05:
        said.append(StatusChanged(status="refused", previous="accepted", at=accepted_at + 5, error="no_route", **facts))
    elif dice.random() < 0.95:
        facts["operator"] = dice.choice(["north", "south"])
        said.append(StatusChanged(status="submitted", previous="accepted", at=accepted_at + 40, **facts))
        end = dice.choice(_ENDS)
        if end:
            error = dice.choice(["absent", "unknown_number"]) if end == "undelivered" else None
            at = accepted_at + round(dice.lognormvariate(8, 1))
            said.append(StatusChanged(status=end, previous="submitted", at=at, error=error, **facts))
    return [(change, country) for change in said]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Some thousand changes in any order, some of them told twice."""
    dice = random.Random(7)
    said = [change for id_ in range(1, 3_001) for change in _changes(dice, id_)]
    said += dice.sample(said, 200)
    dice.shuffle(said)
    rows: list[Row] = []
    for offset, at in enumerate(range(0, len(said), 500)):
        event = decode_event(cloud_event(said[at : at + 500], _BEGIN_MS))
        assert event is not None
        rows += rows_of(offset, event)
    return rows


@pytest.fixture(scope="module")
def answers(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[object, ...]]]:
    folder = tmp_path_factory.mktemp("analysts")
    output = ParquetFolder(folder / "receipts", {})
    for half in (rows[:4_000], rows[4_000:]):
        output.add(half)
        output.commit(half[-1].stream_offset + 1)
    output.close()
    connection = duckdb.connect()
    connection.execute(f"SET file_search_path = '{folder}'")
    return {name: connection.execute(query).fetchall() for name, query in QUERIES.items()}


@pytest.fixture(scope="module")
def messages(rows: list[Row]) -> list[Row]:
    newest: dict[str, Row] = {}
    for row in rows:
        if row.message_id not in newest or row.sequence >= newest[row.message_id].sequence:
            newest[row.message_id] = row
    assert len(newest) == 3_000
    return list(newest.values())


def test_there_are_a_view_and_five_questions() -> None:
    assert len(QUERIES) == 6


def test_the_table_of_columns_is_the_rows_own() -> None:
    told = re.findall(r"^\| `(\w+)` \| (\w+)(, null)? \|", DOCUMENT, re.MULTILINE)
    assert tuple(name for name, _, _ in told) == COLUMNS
    assert {name for name, _, null in told if null} == set(NULLABLE)


def test_delivery_rate(answers: dict[str, list[tuple[object, ...]]], messages: list[Row]) -> None:
    given: Counter[tuple[str, str]] = Counter()
    delivered: Counter[tuple[str, str]] = Counter()
    for row in messages:
        if row.operator:
            given[row.operator, row.accepted_at[:10]] += 1
            delivered[row.operator, row.accepted_at[:10]] += row.status == "delivered"
    assert answers["delivery_rate_by_operator_and_day"] == [
        (*key, count, delivered[key], round(delivered[key] / count, 4)) for key, count in sorted(given.items())
    ]


def test_latency(answers: dict[str, list[tuple[object, ...]]], messages: list[Row]) -> None:
    took_ms: dict[str, list[int]] = defaultdict(list)
    for row in messages:
        if row.status == "delivered":
            took_ms[row.country].append(parse_rfc3339(row.status_at) - parse_rfc3339(row.accepted_at))
    told = answers["latency_by_country"]
    assert [(country, count) for country, count, _, _ in told] == [(c, len(took_ms[c])) for c in sorted(took_ms)]
    for country, count, p50, p95 in told:
        values = sorted(took_ms[str(country)])
        for share, value in ((0.5, p50), (0.95, p95)):
            place = values.index(value)  # type: ignore[arg-type]
            assert abs(place - share * len(values)) <= 1
        assert count


def test_failures(answers: dict[str, list[tuple[object, ...]]], messages: list[Row]) -> None:
    failed = Counter(
        (row.status, row.error or "no reason given") for row in messages if row.status in _FINAL - {"delivered"}
    )
    assert {(status, reason): count for status, reason, count in answers["failures_by_reason"]} == failed


def test_spend(answers: dict[str, list[tuple[object, ...]]], messages: list[Row]) -> None:
    by_campaign: dict[str, list[Row]] = defaultdict(list)
    for row in messages:
        by_campaign[row.campaign or "no campaign"].append(row)
    told = {name: values for name, *values in answers["spend_by_campaign"]}
    assert set(told) == set(by_campaign)
    for name, own in by_campaign.items():
        spent = sum(row.price_micros or 0 for row in own)
        delivered = sum(row.status == "delivered" for row in own)
        assert told[name] == [len(own), sum(row.parts for row in own), spent, spent // delivered]


def test_without_a_final_status(answers: dict[str, list[tuple[object, ...]]], messages: list[Row]) -> None:
    waiting: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in messages:
        if row.status not in _FINAL:
            waiting[row.status, row.operator or "none"].append(parse_rfc3339(row.status_at))
    assert {"accepted", "submitted"} == {status for status, _ in waiting}
    assert answers["without_a_final_status"] == [
        (*key, len(times), min(times)) for key, times in sorted(waiting.items())
    ]


def test_every_status_has_a_rank() -> None:
    assert set(SEQUENCE) > _FINAL
