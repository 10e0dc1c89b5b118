"""From any error to the problem that the client is told."""

import re
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from carillon.http.problem import MEDIA_TYPE, FieldError, Problem, overloaded
from carillon.runtime.committer import OverloadedError

# How a service's own errors are told; `OverloadedError` is known already.
Translations = Mapping[type[Exception], Callable[[Exception], Problem]]

INTERNAL = Problem(500, "internal_error", "Something went wrong here; it has been logged.")


def as_problem(error: Exception, translations: Translations) -> Problem | None:
    """The problem that `error` stands for; None when nobody foresaw it."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return _validation_problem(error.errors())
    if isinstance(error, HTTPException):
        return Problem(error.status_code, _code_of(error.status_code), _detail_of(error), headers=error.headers)
    if isinstance(error, OverloadedError):
        return overloaded()
    for kind in type(error).__mro__:
        translate = translations.get(kind)
        if translate is not None:
            return translate(error)
    return None


def exception_handlers(translations: Translations) -> dict[Any, Callable[[Request, Exception], Any]]:
    """Handlers for FastAPI.

    An error that nobody foresaw is answered with 500 and goes on to the gate, which logs it.
    """

    async def answer(_request: Request, error: Exception) -> Response:
        return problem_response(as_problem(error, translations) or INTERNAL)

    async def nobody_is_there(_request: Request, _error: Exception) -> None:
        return None

    told = (Problem, RequestValidationError, HTTPException, OverloadedError, *translations, Exception)
    return {**dict.fromkeys(told, answer), ClientDisconnect: nobody_is_there}


def problem_response(problem: Problem) -> Response:
    """The problem as a Starlette response."""
    return Response(problem.body(), problem.status, problem.headers, media_type=MEDIA_TYPE)


def _code_of(status: int) -> str:
    return re.sub(r"[^a-z]+", "_", HTTPStatus(status).phrase.lower())


def _detail_of(error: HTTPException) -> str | None:
    return None if error.detail == HTTPStatus(error.status_code).phrase else str(error.detail)


def _validation_problem(errors: Sequence[Any]) -> Problem:
    if any(error["type"] == "json_invalid" for error in errors):
        return Problem(400, "malformed_json", "The body is not JSON.")
    return Problem(422, "invalid_request", "The request is not as it should be.", errors=[_field(e) for e in errors])


def _field(error: Mapping[str, Any]) -> FieldError:
    """One of pydantic's errors, without the input that it would quote."""
    where, *path = error["loc"]
    detail = str(error["msg"]).removeprefix("Value error, ")
    if where == "body":
        pointer = "#" + "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
        return FieldError(code=error["type"], detail=detail, pointer=pointer)
    return FieldError(code=error["type"], detail=detail, parameter=str(path[-1]) if path else None)
