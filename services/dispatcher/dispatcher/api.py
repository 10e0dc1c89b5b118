"""Reports of HTTP operators come in here; everything else of this service happens on queues and binds."""

import asyncio
import hmac
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.requests import Request

from carillon.events.report import ReportReceived
from carillon.http.problem import Problem
from carillon.runtime.clock import Clock
from carillon.sms.operator_errors import report_error
from carillon.sms.reports import STATES, ReportState
from dispatcher.domain.operators import Operator
from dispatcher.inbox import OperatorInbox

_WORDS: dict[str, ReportState] = {**STATES, **{state.upper(): state for state in STATES.values()}}


class Report(BaseModel):
    """One report. `state` is a word of `report.received` or of SMPP, in any case."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    id: Annotated[str, Field(min_length=1, max_length=65)]
    state: Annotated[str, Field(max_length=20)]
    number: Annotated[str, Field(max_length=20)] = ""
    error: Annotated[str | None, Field(max_length=32)] = None


_REPORTS: TypeAdapter[list[Report]] = TypeAdapter(list[Report])


def routes(find: Callable[[str], Operator | None], inbox: OperatorInbox, clock: Clock) -> APIRouter:
    """POST /operators/{name}/reports; `find` gives the operator of that name, if there is one."""
    router = APIRouter(prefix="/operators", tags=["operators"])

    @router.post("/{name}/reports", status_code=204)
    async def reports(name: str, request: Request, token: Annotated[str, Query()] = "") -> Response:
        """Take one report or a list of them; 204 when they are durable."""
        operator = _authorised(find(name), token)
        given = _read(await request.body())
        durable = await asyncio.gather(*(_say(inbox, _record(operator, report, clock)) for report in given))
        if not all(durable):
            raise Problem(503, "not_durable", "Send the same again.", headers={"Retry-After": "5"})
        return Response(status_code=204)

    return router


def _authorised(operator: Operator | None, token: str) -> Operator:
    """An unknown operator and a wrong token are answered alike."""
    expected = operator.report_token if operator is not None else None
    if operator is None or not expected or not hmac.compare_digest(expected.encode(), token.encode()):
        raise Problem(403, "forbidden", "No such operator, or not its token.")
    return operator


def _read(body: bytes) -> list[Report]:
    try:
        return _REPORTS.validate_json(body if body.lstrip()[:1] == b"[" else b"[" + body + b"]")
    except ValidationError as error:
        errors: list[Any] = [
            {"pointer": "/" + "/".join(map(str, problem["loc"])), "code": problem["type"], "detail": problem["msg"]}
            for problem in error.errors()
        ]
        raise Problem(422, "invalid_report", "These are not reports.", errors=errors) from None


def _record(operator: Operator, report: Report, clock: Clock) -> ReportReceived:
    return ReportReceived(
        operator=operator.name,
        ref=report.id,
        state=_WORDS.get(report.state.upper(), "unknown"),
        error=report_error(report.error, operator.errors),
        raw_error=report.error,
        number=report.number.lstrip("+"),
        at=clock.now_ms(),
    )


async def _say(inbox: OperatorInbox, report: ReportReceived) -> bool:
    durable: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    inbox.report(report, lambda good: None if durable.done() else durable.set_result(good))
    return await durable
