"""The operators file (TOML): operators and routes, as the platform team writes them.

Whatever is wrong stops the start with the line of the file and what to do about it.
"""

import re
import tomllib
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from carillon.events.base import Lane

Name = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]


class OperatorsFileError(ValueError):
    """The file can't be used. The message names the line and the remedy; several are separated by line ends."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Operator(_Strict):
    """One `[[operators]]` table."""

    name: Name
    kind: Literal["smpp", "http"] = "smpp"
    # SMPP
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 2775
    tls: bool = False
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    system_id: Annotated[str, Field(max_length=15)] = ""
    password: Annotated[str | None, Field(max_length=8)] = None
    password_file: str | None = None
    system_type: Annotated[str, Field(max_length=12)] = ""
    bind: Literal["transceiver", "transmitter+receiver"] = "transceiver"
    binds: Annotated[int, Field(ge=1, le=100)] = 1
    window: Annotated[int, Field(ge=1, le=10_000)] = 50
    tps: Annotated[int, Field(ge=0)] = 0
    default_alphabet: Literal["gsm", "latin1", "ascii"] = "gsm"
    report_id: Literal["same", "hex", "decimal"] = "same"
    validity_s: Annotated[int, Field(ge=60, le=63 * 86_400)] = 172_800
    answer_timeout_s: Annotated[float, Field(gt=0, le=300)] = 30.0
    errors: dict[str, str] = {}
    # HTTP: see docs/operators.md
    url: str | None = None
    method: Literal["GET", "POST"] = "POST"
    headers: dict[str, str] = {}
    body: str | None = None
    ref_pattern: str = r'"(?:message_?)?id"\s*:\s*"?([^",}\s]+)'
    report_token: str | None = None

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        if self.kind == "smpp" and not self.system_id:
            raise ValueError("an smpp operator needs a system_id")
        if self.kind == "http" and not self.url:
            raise ValueError("an http operator needs a url")
        if self.password is not None and self.password_file is not None:
            raise ValueError("give password or password_file, not both")
        return self


class Choice(_Strict):
    """An operator in a route, with its share of the traffic; 0 takes part as a failover only."""

    name: Name
    weight: Annotated[int, Field(ge=0, le=1_000)] = 1


class Route(_Strict):
    """One `[[routes]]` table: numbers that begin with `prefix` go to these operators."""

    prefix: Annotated[str, Field(pattern=r"^[0-9]{0,15}$")]
    lanes: tuple[Lane, ...] = ()
    accounts: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    operators: Annotated[tuple[Choice, ...], Field(min_length=1)]

    @property
    def conditions(self) -> tuple[object, ...]:
        """What a message must match: two routes with the same conditions are ambiguous."""
        return self.prefix, frozenset(self.lanes), frozenset(self.accounts), frozenset(self.senders)


class OperatorsFile(_Strict):
    """The whole file."""

    operators: Annotated[tuple[Operator, ...], Field(min_length=1)]
    routes: Annotated[tuple[Route, ...], Field(min_length=1)]

    def operator(self, name: str) -> Operator:
        """The operator of that name; `KeyError` when there is none."""
        for operator in self.operators:
            if operator.name == name:
                return operator
        raise KeyError(name)


def parse(text: str) -> OperatorsFile:
    """Read and check the file's text; `OperatorsFileError` says everything that is wrong with it."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OperatorsFileError(f"this is not TOML: {error}") from error
    lines = _Lines(text)
    try:
        file = OperatorsFile.model_validate(raw)
    except ValidationError as error:
        raise OperatorsFileError("\n".join(_explain(problem, lines) for problem in error.errors())) from error
    problems = [*_twice(file, lines), *_missing_operators(file, lines), *_ambiguous(file, lines)]
    if problems:
        raise OperatorsFileError("\n".join(problems))
    return file


def _explain(problem: Any, lines: "_Lines") -> str:
    place: Sequence[str | int] = problem["loc"]
    where = ".".join(str(step) for step in place if isinstance(step, str))
    line = lines.of(place)
    if problem["type"] == "extra_forbidden":
        return f"line {line}: unknown key {where!r}: remove it, or correct its spelling"
    if problem["type"] == "missing":
        return f"line {line}: {where!r} is missing: add it"
    return f"line {line}: {where}: {problem['msg']}"


def _twice(file: OperatorsFile, lines: "_Lines") -> list[str]:
    seen: dict[str, int] = {}
    problems = []
    for place, operator in enumerate(file.operators):
        line = lines.of(("operators", place, "name"))
        if operator.name in seen:
            problems.append(
                f"line {line}: operator {operator.name!r} is defined in line {seen[operator.name]} already: rename one"
            )
        seen.setdefault(operator.name, line)
    return problems


def _missing_operators(file: OperatorsFile, lines: "_Lines") -> list[str]:
    known = {operator.name for operator in file.operators}
    return [
        f"line {lines.of(('routes', place, 'operators'))}: operator {choice.name!r} of this route does not exist: "
        f"define it, or use one of {', '.join(sorted(known))}"
        for place, route in enumerate(file.routes)
        for choice in route.operators
        if choice.name not in known
    ]


def _ambiguous(file: OperatorsFile, lines: "_Lines") -> list[str]:
    seen: dict[tuple[object, ...], int] = {}
    problems = []
    for place, route in enumerate(file.routes):
        line = lines.of(("routes", place, "prefix"))
        if route.conditions in seen:
            problems.append(
                f"line {line}: this route matches the same messages as the one in line {seen[route.conditions]}: "
                "merge them, or tell them apart by prefix, lanes, accounts or senders"
            )
        seen.setdefault(route.conditions, line)
    return problems


class _Lines:
    """Finds the line of a key: tomllib does not keep it."""

    _TABLE = re.compile(r"\s*\[\[\s*(\w+)\s*\]\]")
    _SUBTABLE = re.compile(r"\s*\[\s*(\w+)\.(\w+)\s*\]")
    _KEY = re.compile(r"""\s*["']?([\w-]+)["']?\s*=""")

    def __init__(self, text: str) -> None:
        self._found: dict[tuple[str | int, ...], int] = {}
        counts: dict[str, int] = {}
        place: tuple[str | int, ...] = ()
        for number, line in enumerate(text.splitlines(), start=1):
            if table := self._TABLE.match(line):
                name = table[1]
                counts[name] = counts.get(name, -1) + 1
                place = (name, counts[name])
            elif sub := self._SUBTABLE.match(line):
                place = (sub[1], counts.get(sub[1], 0), sub[2])
            elif key := self._KEY.match(line):
                self._found.setdefault((*place, key[1]), number)
                continue
            else:
                continue
            self._found.setdefault(place, number)

    def of(self, place: Sequence[str | int]) -> int:
        """The line of a key, or of the nearest table around it; 1 when nothing is found."""
        steps = tuple(place)
        while steps:
            if steps in self._found:
                return self._found[steps]
            steps = steps[:-1]
        return 1
