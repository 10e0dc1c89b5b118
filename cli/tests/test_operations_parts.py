"""What `carillon check` and `carillon parked` decide and show, without a server."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carillon.bus.parked import Parked
from carillon_cli.check.clocks import MUCH_SKEW_S, SKEW_S, compare_clock
from carillon_cli.check.findings import bad, good, render, warn, worst
from carillon_cli.check.machine import check_machine
from carillon_cli.parked import describe
from carillon_cli.places import NoPlaceError, Places, find_places
from carillon_cli.servers import Home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    names = ("AMQP_URL", "MANAGEMENT_URL", "MONGO_URL", "MONGO_PREFIX", "URL", "FRONT_TARGETS", "OPERATORS_FILE")
    for name in names:
        monkeypatch.delenv(f"CARILLON_{name}", raising=False)
    home = Home(tmp_path / "home")
    home.make()
    return home


@given(st.floats(-100, 100), st.floats(0, 5), st.floats(0, 1))
def test_only_skew_that_nothing_else_explains_counts(skew_s: float, took_s: float, at: float) -> None:
    """Their clock, read between question and answer and cut to whole seconds, never seems worse than it is."""
    asked_s = 1_795_000_000.25
    theirs_s = float(int(asked_s + at * took_s + skew_s))
    found = compare_clock("area", "their", theirs_s, asked_s, asked_s + took_s, known_to_s=1.0)
    if abs(skew_s) <= SKEW_S:
        assert found.state == "ok"
    if abs(skew_s) <= MUCH_SKEW_S:
        assert found.state != "fail"
    if abs(skew_s) > MUCH_SKEW_S + took_s + 1:
        assert found.state == "fail"


def test_the_worst_finding_decides_and_each_says_what_to_do() -> None:
    findings = [good("a", "one", "well"), warn("a", "two", "so so", "mind it"), bad("b", "three", "broken", "mend it")]
    assert (worst([]), worst(findings[:2]), worst(findings)) == ("ok", "warn", "fail")
    shown = render(findings, False)
    assert "1 ok, 1 warn, 1 fail" in shown
    assert shown.endswith("what to do:\n  a two: mind it\n  b three: mend it")
    assert json.loads(render(findings, True))["findings"][2]["do"] == "mend it"


def test_a_parked_record_shows_no_number_no_text_and_no_name() -> None:
    record = {"id": 247_712_361_308_164_096, "number": "33612345678", "text": "private", "metadata": {"a": "b"},
              "lane": "bulk", "contacts": [{"name": "Ann", "number": "33612345679"}]}  # fmt: skip
    parked = Parked(
        "x", "message.accepted.v1", "no route for +33612345678", None, (), 0, 0, json.dumps([record]).encode()
    )
    hidden = json.dumps(describe(parked, clear=False))
    assert "336123" not in hidden
    assert "private" not in hidden
    assert "Ann" not in hidden
    assert str(record["id"]) in hidden
    assert describe(parked, clear=True)["records"] == [record]
    broken = Parked("x", "", "unreadable", None, (), 0, 0, b"33612345678 \xff")
    assert describe(broken, clear=False)["records"] == ["(13 bytes that are no JSON; --clear shows them)"]


def test_addresses_given_win_over_those_of_the_environment_and_of_the_home(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["CARILLON_AMQP_URL=amqp://home/", "CARILLON_MANAGEMENT_URL=http://home", "CARILLON_MONGO_URL='mongodb://home/?a=b'",
             "CARILLON_URL=http://127.0.0.1:8080"]  # fmt: skip
    (home.path / "demo.env").write_text("\n".join(lines))
    found = find_places(home)
    assert (found.amqp_url, found.mongo_url, found.vhost) == ("amqp://home/", "mongodb://home/?a=b", "/")
    assert found.management_url == "http://home"
    assert found.operators_file == str(home.path / "operators.toml")
    monkeypatch.setenv("CARILLON_MONGO_URL", "mongodb://environment/")
    assert find_places(home).mongo_url == "mongodb://environment/"
    given_ = find_places(home, amqp_url="amqp://given/a%2Fb", services="receipt=http://r:1/,accounts=http://a:2")
    assert (given_.vhost, given_.management_url) == ("a/b", "")
    assert given_.services == {"receipt": "http://r:1", "accounts": "http://a:2"}
    with pytest.raises(NoPlaceError, match="names and URLs"):
        find_places(home, services="receipt:1")


def test_what_nobody_gave_is_named(home: Home) -> None:
    with pytest.raises(NoPlaceError, match="CARILLON_AMQP_URL"):
        find_places(home).need("amqp_url")


def test_a_wrong_operators_file_is_found_with_its_line(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "operators.toml"
    file.write_text('[[operators]]\nname = "north"\nkind = "carrier pigeon"\n')
    places = Places("", "", "", "", "", {}, str(file), "", home.path)
    findings, operators = check_machine(places)
    [found] = [finding for finding in findings if finding.what == "operators file"]
    assert (found.state, list(operators)) == ("fail", [])
    assert str(file) in found.says
    missing, _ = check_machine(Places("", "", "", "", "", {}, str(tmp_path / "none.toml"), "", home.path))
    assert [finding.state for finding in missing if finding.what == "operators file"] == ["fail"]
