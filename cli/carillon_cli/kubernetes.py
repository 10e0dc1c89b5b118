"""The path table as the cluster's router reads it: two files of regular expressions, the first line that fits counts.

`python -m carillon_cli.kubernetes` writes them into infra/k8s; a test says when they are stale.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from carillon.http.paths import ANY_CASE, RULES, Rule, allowed_methods, head_of
from carillon_cli.services import SERVICES

FOLDER = Path(__file__).resolve().parents[2] / "infra" / "k8s"
TRIALS_ONLY = frozenset({"simulator"})  # an operator for trials is in no cluster that serves clients

# Each router's folder, and what stands behind that router.
ROUTERS = {
    "base/router": tuple(name for name in SERVICES if name not in TRIALS_ONLY),
    "overlays/dev/router": SERVICES,
}


def paths_map(services: tuple[str, ...]) -> str:
    """`METHOD:/path` to the service that serves it, of these services."""
    return "".join(f"^{_methods(rule)}:{_path(rule.path, rule.below)} {rule.service}\n" for rule in _rules(services))


def allow_map(services: tuple[str, ...]) -> str:
    """Paths that are served for some methods only, the most exact first, to these methods."""
    return "".join(
        f"^{_path(path, below)} {', '.join(sorted(allowed))}\n" for path, below, allowed in _limited(_rules(services))
    )


def _rules(services: tuple[str, ...]) -> tuple[Rule, ...]:
    return tuple(rule for rule in RULES if rule.service in services)


def _methods(rule: Rule) -> str:
    return "[A-Z]+" if rule.methods is None else f"({'|'.join(sorted(rule.methods))})"


def _path(path: str, below: bool) -> str:
    any_case = head_of(path + "/") in ANY_CASE
    written = "".join(f"[{c}{c.upper()}]" if any_case and c.isalpha() else re.escape(c) for c in path)
    return f"{written}(/|$)" if below else f"{written}$"


def _limited(rules: tuple[Rule, ...]) -> Iterator[tuple[str, bool, frozenset[str]]]:
    limited = [rule for rule in rules if rule.methods is not None]
    for path in dict.fromkeys(rule.path for rule in limited):
        yield path, False, allowed_methods(path)
    for path in dict.fromkeys(rule.path for rule in limited if rule.below):
        yield path, True, allowed_methods(f"{path}/-")


def write() -> None:
    """Write the files of all routers."""
    for folder, services in ROUTERS.items():
        (FOLDER / folder / "paths.map").write_text(paths_map(services), encoding="utf-8")
        (FOLDER / folder / "allow.map").write_text(allow_map(services), encoding="utf-8")


if __name__ == "__main__":
    write()
