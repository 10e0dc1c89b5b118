"""This machine: room on its disk, and the operators file."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from carillon_cli.check.findings import Finding, bad, good, warn
from carillon_cli.places import Places
from dispatcher.domain.operators import Operator, OperatorsFileError
from dispatcher.operators_file import load

GIB = 1 << 30
LITTLE_BYTES = 5 * GIB
TOO_LITTLE_BYTES = GIB


def check_machine(places: Places) -> tuple[list[Finding], Sequence[Operator]]:
    """What is found, and the operators of the file (none when it can't be read)."""
    finding, operators = _operators(places.operators_file)
    return [_disk(places.data), finding], operators


def _disk(data: Path) -> Finding:
    place = data if data.exists() else data.parent
    free = shutil.disk_usage(place).free
    says = f"{free / GIB:.1f} GiB free at {place}"
    if free < TOO_LITTLE_BYTES:
        return bad("machine", "disk", says, "make room: RabbitMQ stops taking messages when its disk is full")
    if free < LITTLE_BYTES:
        return warn("machine", "disk", says, "make room soon")
    return good("machine", "disk", says)


def _operators(path: str) -> tuple[Finding, Sequence[Operator]]:
    if not path:
        do = "set CARILLON_OPERATORS_FILE to have it checked"
        return warn("machine", "operators file", "not given, not looked at", do), ()
    try:
        file = load(Path(path))
    except OperatorsFileError as error:
        lines = str(error).splitlines()
        return bad("machine", "operators file", lines[0], "mend it: docs/operators.md; " + "; ".join(lines[1:])), ()
    says = f"{len(file.operators)} operators, {len(file.routes)} routes"
    return good("machine", "operators file", says), file.operators
