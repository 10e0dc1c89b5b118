"""Reads the operators file, and puts a changed one in force; a bad change is logged and the old one stays."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from carillon.runtime.background import Every
from dispatcher.domain.operators import OperatorsFile, OperatorsFileError, parse

log = structlog.get_logger(__name__)

_LOOK_S = 2.0


def load(path: Path) -> OperatorsFile:
    """The file, checked; `OperatorsFileError` names the file, the line and the remedy. Passwords may be in files."""
    try:
        file = parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OperatorsFileError(f"{path}: can't be read ({error.strerror}): set CARILLON_OPERATORS_FILE") from error
    except OperatorsFileError as error:
        raise OperatorsFileError("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from error
    operators = []
    for operator in file.operators:
        if operator.password_file is None:
            operators.append(operator)
            continue
        try:
            password = Path(operator.password_file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise OperatorsFileError(
                f"{path}: operator {operator.name!r}: its password_file {operator.password_file!r} can't be read "
                f"({error.strerror})"
            ) from error
        operators.append(operator.model_copy(update={"password": password}))
    return file.model_copy(update={"operators": tuple(operators)})


class OperatorsFileWatch:
    """A part: looks every 2 s whether the file has changed (a ConfigMap changes by symbolic link, so by content)."""

    def __init__(self, path: Path, current: OperatorsFile, change: Callable[[OperatorsFile], Awaitable[None]]) -> None:
        self._path = path
        self._current = current
        self._bad = ""
        self._change = change
        self._looks = Every("operators file", _LOOK_S, self._look)

    async def start(self) -> None:
        """Begin to look."""
        await self._looks.start()

    async def stop(self) -> None:
        """Stop looking."""
        await self._looks.stop()

    async def _look(self) -> None:
        try:
            file = load(self._path)
        except OperatorsFileError as error:
            if str(error) != self._bad:
                log.error("operators_file.refused", reason=str(error), remedy="the file in force stays")
                self._bad = str(error)
            return
        self._bad = ""
        if file != self._current:
            log.info("operators_file.changed", operators=len(file.operators), routes=len(file.routes))
            self._current = file
            await self._change(file)
