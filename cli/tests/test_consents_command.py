"""`carillon consents verify FILE` finds what was done to an exported log."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from carillon.runtime.chain import GENESIS, entry_hash
from carillon_cli.main import app
from contacts.consent.entry import CONTENT


@pytest.fixture
def entries() -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    previous = GENESIS
    for sequence in range(1, 6):
        content = {field: f"{field} {sequence}" for field in CONTENT}
        hash_ = entry_hash(sequence, previous, content)
        made.append({**content, "sequence": sequence, "previous": previous, "hash": hash_, "number": None})
        previous = hash_
    return made


def verify(path: Path, entries: list[dict[str, Any]], *more: str) -> tuple[int, str]:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    result = CliRunner().invoke(app, ["consents", "verify", str(path), *more])
    return result.exit_code, result.output


def test_a_whole_log_holds(tmp_path: Path, entries: list[dict[str, Any]]) -> None:
    code, output = verify(tmp_path / "log", entries, "--head", entries[2]["hash"])
    assert (code, output) == (0, f"5 entries, the chain holds; head {entries[-1]['hash']}\n")


def test_what_was_done_to_it_shows(tmp_path: Path, entries: list[dict[str, Any]]) -> None:
    changed = [*entries[:2], {**entries[2], "what": "opted_in"}, *entries[3:]]
    assert verify(tmp_path / "log", changed)[0] == 1
    assert "broken at entry 3" in verify(tmp_path / "log", changed)[1]
    assert "broken at entry 2" in verify(tmp_path / "log", [entries[0], *entries[2:]])[1]
    assert verify(tmp_path / "log", entries[:3])[0] == 0  # a chain cannot tell that its end is missing
    assert "cut off" in verify(tmp_path / "log", entries[:3], "--head", entries[4]["hash"])[1]


def test_what_is_no_export(tmp_path: Path) -> None:
    assert verify(tmp_path / "log", [{"a": 1}])[0] == 2
