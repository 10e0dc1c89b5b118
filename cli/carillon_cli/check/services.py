"""The services: what each says of itself, its clock, and the binds to the operators."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from prometheus_client.parser import text_string_to_metric_families

from carillon.telemetry.exposition import prometheus_name
from carillon.telemetry.metrics import BINDS_UP
from carillon_cli.check.clocks import compare_clock
from carillon_cli.check.findings import Finding, bad, good, warn
from carillon_cli.places import Places
from dispatcher.domain.operators import Operator

AREA = "services"
BINDS = "operators"
FRONT = "front"


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    text: str
    date: str
    asked_s: float
    answered_s: float


async def check_services(places: Places, operators: Sequence[Operator]) -> list[Finding]:
    """Everything that has an address: the front, and each service that was named."""
    addresses = ({FRONT: places.url} if places.url else {}) | dict(places.services)
    if not addresses:
        do = "set CARILLON_URL, or CARILLON_FRONT_TARGETS=receipt=http://host:8084,..."
        return [bad(AREA, "http", "no address", do)]
    looks = await asyncio.gather(*(asyncio.to_thread(_service, name, url) for name, url in addresses.items()))
    findings = [finding for look in looks for finding in look]
    return findings + await asyncio.to_thread(_binds, addresses, operators)


def _service(name: str, url: str) -> list[Finding]:
    try:
        answer = _get(f"{url}/readyz")
    except OSError as error:
        return [bad(AREA, name, f"{url} does not answer: {error}", "start it, or correct its address")]
    findings = [_readiness(name, url, answer)]
    if answer.date:
        theirs_s = parsedate_to_datetime(answer.date).timestamp()
        # whole seconds, and the server writes the date anew once a second
        findings.append(compare_clock(AREA, name, theirs_s, answer.asked_s, answer.answered_s, known_to_s=2.0))
    return findings


def _readiness(name: str, url: str, answer: _Answer) -> Finding:
    if answer.status == 200:
        return good(AREA, name, f"{url} is ready")
    try:
        problems = json.loads(answer.text).get("problems") or answer.text
    except (ValueError, AttributeError):
        problems = answer.text
    says = f"not ready: {json.dumps(problems) if isinstance(problems, Mapping) else str(problems)[:200]}"
    return bad(AREA, name, says, "see its log; what it names is what it waits for")


def _binds(addresses: Mapping[str, str], operators: Sequence[Operator]) -> list[Finding]:
    """By the dispatcher's metrics; with all services in one process the front's are the same."""
    url = addresses.get("dispatcher") or addresses.get(FRONT, "")
    try:
        up = _gauge(_get(f"{url}/metrics").text)
    except (OSError, ValueError) as error:
        return [
            warn(BINDS, "binds", f"not looked at: {error}", "give the dispatcher's address in CARILLON_FRONT_TARGETS")
        ]
    if not up and "dispatcher" not in addresses:
        do = "give the dispatcher's address in CARILLON_FRONT_TARGETS (with several, one of them)"
        return [warn(BINDS, "binds", "not looked at: the front is not the dispatcher", do)]
    wanted = {operator.name: operator.binds for operator in operators if operator.kind == "smpp"} or dict.fromkeys(
        up, 1
    )
    return [_operator(name, int(up.get(name, 0)), binds) for name, binds in wanted.items()]


def _operator(name: str, up: int, wanted: int) -> Finding:
    says = f"{up} of {wanted} binds up in this dispatcher process"
    if not up:
        return bad(BINDS, name, says, "see the dispatcher's log for bind.failed: address, credentials, or the operator")
    if up < wanted:
        return warn(
            BINDS, name, says, "right if other dispatcher processes hold the rest; else see the dispatcher's log"
        )
    return good(BINDS, name, says)


def _gauge(text: str) -> dict[str, float]:
    name = prometheus_name(BINDS_UP)
    return {
        sample.labels["operator"]: sample.value
        for family in text_string_to_metric_families(text)
        if family.name == name
        for sample in family.samples
    }


def _get(url: str) -> _Answer:
    asked_s = time.time()
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - the platform's own address
            text, status, date = answer.read().decode(errors="replace"), answer.status, answer.headers.get("Date", "")
    except urllib.error.HTTPError as refusal:
        text, status, date = refusal.read().decode(errors="replace"), refusal.code, refusal.headers.get("Date", "")
    return _Answer(status, text, date, asked_s, time.time())
