"""Dashboards, alerts, scrapes and runbooks against the catalogue of metrics: nothing names what is not there."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from carillon.telemetry.document import exposed_names, known_names, page
from carillon.telemetry.metrics import CATALOGUE
from carillon_cli.services import DEFAULT_PORTS, SERVICES

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "infra/prometheus"
DASHBOARDS = sorted((ROOT / "infra/grafana/dashboards").glob("*.json"))
RUNBOOKS = ROOT / "docs/runbooks"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((PROMETHEUS / "alerts.yaml").read_text())["groups"] for rule in group["rules"]
]
SCRAPES: list[dict[str, Any]] = yaml.safe_load((PROMETHEUS / "prometheus.yaml").read_text())["scrape_configs"]
OURS = {name: instrument for instrument in CATALOGUE for name in exposed_names(instrument)}

# PromQL words that look like metrics
WORDS = {
    "sum", "max", "min", "count", "rate", "increase", "histogram_quantile", "by", "and", "or", "on", "vector", "time",
    "label_values", "unless", "without", "le",
}  # fmt: skip
OF_THE_TARGET = {"job", "instance", "le"}
OF_RABBITMQ = {"queue", "vhost"}
COMMANDS = {"status", "check", "parked list", "parked show", "parked replay", "receipts tail", "receipts export"}


def panels(dashboard: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(dashboard.read_text())["panels"]
    return found


def expressions() -> Iterator[tuple[str, str]]:
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for dashboard in DASHBOARDS:
        content = json.loads(dashboard.read_text())
        for panel in content["panels"]:
            for target in panel.get("targets", ()):
                yield f"{dashboard.stem}: {panel['title']}", target["expr"]
        for variable in content["templating"]["list"]:
            yield f"{dashboard.stem}: ${variable['name']}", variable["query"]["query"]


EXPRESSIONS = list(expressions())
each_expression = pytest.mark.parametrize(
    ("where", "expression"), EXPRESSIONS, ids=[f"{number}-{where}" for number, (where, _) in enumerate(EXPRESSIONS)]
)


def outside_strings(expression: str) -> str:
    return re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)


def names_in(expression: str) -> set[str]:
    """What stands where a metric may stand: words outside strings, selectors, ranges and groupings."""
    bare = outside_strings(expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", bare)
    bare = re.sub(r"\b(by|without|on|ignoring)\s*\([^)]*\)", "", bare)
    bare = re.sub(r"(label_values\([^,]*),\s*\w+\)", r"\1)", bare)
    return {name for name in re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", bare) if name not in WORDS}


@each_expression
def test_every_metric_is_in_the_catalogue(where: str, expression: str) -> None:
    names = names_in(expression)
    assert names
    assert names <= known_names()


@each_expression
def test_every_selector_names_labels_that_the_metric_has(where: str, expression: str) -> None:
    for name, selector in re.findall(r"(\w+)\{([^}]*)\}", expression):
        wanted = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", outside_strings(selector)))
        allowed = set(OURS[name].labels) if name in OURS else OF_RABBITMQ
        assert wanted <= allowed | OF_THE_TARGET, name


@each_expression
def test_every_grouping_is_by_a_label_of_its_metrics(where: str, expression: str) -> None:
    names = names_in(expression)
    allowed = OF_THE_TARGET.union(*(OURS[name].labels if name in OURS else OF_RABBITMQ for name in names))
    for grouping in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression):
        assert {label.strip() for label in grouping.split(",")} <= allowed


@each_expression
def test_every_expression_is_balanced_and_counters_are_never_taken_bare(where: str, expression: str) -> None:
    bare = outside_strings(expression)
    assert all(bare.count(left) == bare.count(right) for left, right in ("()", "[]", "{}"))
    assert expression.count('"') % 2 == 0
    for counter in re.findall(r"\b\w+_(?:total|bucket|sum|count)\b(?![^{]*\}\s*\()", bare):
        if counter in OURS:
            assert re.search(rf"(rate|increase)\(\s*{counter}(\{{[^}}]*\}})?\[", bare), counter


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_what_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    name = rule["alert"]
    assert re.fullmatch(r"Carillon[A-Za-z]+", name)
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"]
    runbook = ROOT / rule["annotations"]["runbook_url"]
    assert runbook == RUNBOOKS / f"{name}.md"
    text = runbook.read_text()
    assert text.startswith(f"# {name}\n")
    assert f"Severity: {rule['labels']['severity']}." in text
    titles = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert titles == ["What it means for clients", "How to see it", "What to do", "It is over when"]


def test_runbooks_and_alerts_are_the_same_and_the_index_has_each() -> None:
    alerts = {rule["alert"] for rule in RULES}
    assert len(alerts) == len(RULES)
    assert {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"} == alerts
    assert set(re.findall(r"\| \[(\w+)\]\(\1\.md\) \|", (RUNBOOKS / "README.md").read_text())) == alerts


@pytest.mark.parametrize("path", sorted(RUNBOOKS.glob("*.md")), ids=lambda path: path.stem)
def test_what_a_runbook_points_to_is_there(path: Path) -> None:
    text = path.read_text()
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert (path.parent / link).exists(), link
    for command in re.findall(r"`carillon ([a-z]+(?: (?:list|show|replay|tail|export))?)", text):
        assert command in COMMANDS
    for name in re.findall(r"carillon_[a-z_]+", text):
        assert name in known_names(), name
    for dashboard, panel in re.findall(r'[Dd]ashboard "([^"]+)", (?:panel )?"([^"]+)"', text):
        titles = {one["title"] for one in panels(ROOT / f"infra/grafana/dashboards/{dashboard.replace(' ', '-')}.json")}
        assert panel in titles


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_can_be_provisioned(path: Path) -> None:
    content = json.loads(path.read_text())
    provisioned = yaml.safe_load((ROOT / "infra/grafana/provisioning/datasources/prometheus.yaml").read_text())
    [source] = provisioned["datasources"]
    assert content["uid"] == f"carillon-{path.stem}"
    assert content["title"]
    assert len({panel["id"] for panel in content["panels"]}) == len(content["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in content["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["datasource"] == {"type": "prometheus", "uid": source["uid"]}
            assert panel["fieldConfig"]["defaults"]["unit"]


def test_there_is_a_dashboard_for_each_concern() -> None:
    assert [path.stem for path in DASHBOARDS] == [
        "callbacks", "infrastructure", "operators", "pipeline", "service-level"
    ]  # fmt: skip
    provider = yaml.safe_load((ROOT / "infra/grafana/provisioning/dashboards/carillon.yaml").read_text())
    assert provider["providers"][0]["options"]["path"] == "/var/lib/grafana/dashboards"


def test_prometheus_scrapes_every_service_on_its_port_and_the_alert_knows_it() -> None:
    scraped = {scrape["job_name"]: config["port"] for scrape in SCRAPES for config in scrape.get("dns_sd_configs", ())}
    assert scraped == {name: DEFAULT_PORTS[name] for name in SERVICES}
    jobs = {scrape["job_name"] for scrape in SCRAPES}
    down = next(rule["expr"] for rule in RULES if rule["alert"] == "CarillonServiceDown")
    watched = set(re.findall(r'"([^"]+)"', down)[0].split("|"))
    assert watched == set(SERVICES) - {"simulator"}
    for _, expression in EXPRESSIONS:
        for job in re.findall(r'job="([^"$]+)"', expression):
            assert job in jobs


def test_the_collector_is_made_of_what_it_names() -> None:
    config = yaml.safe_load((ROOT / "infra/otel/collector.yaml").read_text())
    for pipeline in config["service"]["pipelines"].values():
        for kind in ("receivers", "processors", "exporters"):
            assert pipeline[kind]
            assert set(pipeline[kind]) <= set(config[kind])
        assert pipeline["processors"][0] == "memory_limiter"
        assert pipeline["processors"][-1] == "batch"
    assert set(config["service"]["extensions"]) <= set(config["extensions"])
    assert config["receivers"]["otlp"]["protocols"]["http"]["endpoint"].endswith(":4318")


def test_the_page_of_metrics_is_not_stale() -> None:
    assert (ROOT / "docs/metrics.md").read_text() == page(), "run `make generated`"
    for instrument in CATALOGUE:
        assert f"`{instrument.name}`" in page()
    assert "## Others" not in page()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not installed")
@pytest.mark.parametrize(
    "arguments",
    [["check", "config", "prometheus.yaml"], ["check", "rules", "alerts.yaml"], ["test", "rules", "alerts.test.yaml"]],
    ids=" ".join,
)
def test_promtool_agrees(arguments: list[str]) -> None:
    done = subprocess.run(
        ["promtool", *arguments], cwd=PROMETHEUS, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not installed")
def test_promtool_reads_every_expression_of_the_dashboards(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:number_{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, (_, expression) in enumerate(EXPRESSIONS)
        if not expression.startswith("label_values")
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
