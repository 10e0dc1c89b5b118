"""What a look at the platform finds, and how it is shown."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from carillon_cli.tables import table

State = Literal["ok", "warn", "fail"]
_ORDER: tuple[State, ...] = ("ok", "warn", "fail")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: `state`, what was seen, and, unless all is well, what to do about it."""

    area: str
    what: str
    state: State
    says: str
    do: str = ""


def good(area: str, what: str, says: str) -> Finding:
    """All is well."""
    return Finding(area, what, "ok", says)


def warn(area: str, what: str, says: str, do: str) -> Finding:
    """It works, for now; or it could not be looked at."""
    return Finding(area, what, "warn", says, do)


def bad(area: str, what: str, says: str, do: str) -> Finding:
    """It does not work, or messages are at risk."""
    return Finding(area, what, "fail", says, do)


def worst(findings: Sequence[Finding]) -> State:
    """The worst state of all; ok when there are none."""
    return max((finding.state for finding in findings), key=_ORDER.index, default="ok")


def render(findings: Sequence[Finding], as_json: bool) -> str:
    """A table with the remedies below it, or JSON: `{state, findings: [{area, what, state, says, do}]}`."""
    if as_json:
        return json.dumps({"state": worst(findings), "findings": [asdict(finding) for finding in findings]}, indent=2)
    rows = [(finding.state, finding.area, finding.what, finding.says) for finding in findings]
    counts = ", ".join(f"{sum(finding.state == state for finding in findings)} {state}" for state in _ORDER)
    remedies = [f"  {finding.area} {finding.what}: {finding.do}" for finding in findings if finding.do]
    shown = [table(("state", "area", "what", "seen"), rows), "", counts]
    return "\n".join([*shown, "what to do:", *remedies] if remedies else shown)
