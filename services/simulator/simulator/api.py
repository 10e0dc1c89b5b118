"""The JSON side: what the handsets show, counters, inbound messages, faults, callbacks."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from carillon.http.problem import Problem
from carillon.smpp import status_name
from carillon.sms.segments import ContentInvalid
from simulator.domain.callback_log import CallbackLog
from simulator.domain.faults import Faults
from simulator.inbound import InboundDesk, NobodyBoundError
from simulator.operator import Operator
from simulator.view import View, callback_json, rules_json, shown_json

Limit = Annotated[int, Query(ge=1, le=100_000)]


class InboundRequest(BaseModel):
    """A message from a handset. `to` is the client's number or short code."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    sender: Annotated[str, Field(alias="from", min_length=1, max_length=20, pattern=r"^[!-~]+$")]
    to: Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[!-~]+$")]
    text: Annotated[str, Field(max_length=10_000)]
    system_id: str | None = None


class InboundAnswer(BaseModel):
    """How the client answered each part."""

    parts: int
    acknowledged: bool
    statuses: list[str]


def routes(operator: Operator, desk: InboundDesk, view: View, log: CallbackLog) -> APIRouter:
    """All of /simulator that is JSON."""
    router = APIRouter(prefix="/simulator", tags=["simulator"])
    _handsets(router, operator, view)
    _traffic(router, operator, desk)
    _faults(router, operator, log)
    _callbacks(router, log)
    return router


def _handsets(router: APIRouter, operator: Operator, view: View) -> None:
    @router.get("/handsets")
    async def handsets(limit: Limit = 100) -> dict[str, Any]:
        """Handsets, the one that received last first, each with its newest message."""
        return {
            "total": len(operator.books.handsets),
            "handsets": [
                {"number": number, "accepted": count, "latest": shown_json(latest)}
                for number, count, latest in view.handsets(limit)
            ],
        }

    @router.get("/handsets/{number}")
    async def handset(number: str, limit: Limit = 1_000) -> dict[str, Any]:
        """What one handset shows of its newest `limit` parts, newest first. One that got nothing shows nothing."""
        return {"number": number, "messages": [shown_json(shown) for shown in view.handset(number, limit)]}

    @router.get("/stats")
    async def stats() -> dict[str, Any]:
        """Counters since the last reset, and what is under way."""
        return view.stats()

    @router.get("/counts")
    async def counts() -> dict[str, int]:
        """How many submits each number accepted since the last reset."""
        return operator.books.handsets.counts

    @router.get("/rules")
    async def rules() -> list[dict[str, str]]:
        """Endings of numbers, and what they do."""
        return rules_json()


def _traffic(router: APIRouter, operator: Operator, desk: InboundDesk) -> None:
    @router.post("/inbound")
    async def inbound(request: InboundRequest) -> InboundAnswer:
        """Send a message from a handset to a bound client, and wait until it is acknowledged."""
        try:
            statuses = await desk.send(request.sender, request.to, request.text, request.system_id)
        except NobodyBoundError:
            raise Problem(503, "not_bound", "No client that can receive is bound.") from None
        except TimeoutError:
            raise Problem(504, "not_acknowledged", "The message is kept, and sent again after the next bind.") from None
        except ContentInvalid as error:
            raise Problem(422, error.code, str(error)) from None
        return InboundAnswer(
            parts=len(statuses),
            acknowledged=not any(statuses),
            statuses=[status_name(status) for status in statuses],
        )

    @router.post("/drop")
    async def drop() -> dict[str, int]:
        """Close all links now, without unbinding."""
        return {"dropped": operator.drop_links()}


def _faults(router: APIRouter, operator: Operator, log: CallbackLog) -> None:
    @router.get("/faults")
    async def faults() -> Faults:
        """What goes wrong at present."""
        return operator.faults

    @router.put("/faults")
    async def put_faults(given: Faults) -> Faults:
        """Replace all: what is not given is as at the start."""
        return operator.set_faults(given.model_dump(exclude_unset=True))

    @router.patch("/faults")
    async def patch_faults(given: Faults) -> Faults:
        """Change what is given; the rest stays."""
        return operator.set_faults(given.model_dump(exclude_unset=True), over=operator.faults)

    @router.post("/reset")
    async def reset(keep: Literal["nothing", "faults"] = "nothing") -> dict[str, bool]:
        """Forget messages, counters, reports to come and callbacks. Faults are as at the start; binds stay."""
        operator.reset(keep_faults=keep == "faults")
        log.clear()
        return {"reset": True}


def _callbacks(router: APIRouter, log: CallbackLog) -> None:
    @router.get("/callbacks.json")
    async def callbacks(msgid: str | None = None, name: str | None = None, limit: Limit = 100) -> list[dict[str, Any]]:
        """Callbacks that came to /simulator/callbacks[/name], newest first."""
        return [callback_json(call) for call in log.newest(limit, msgid, name)]

    @router.get("/callbacks/messages")
    async def messages() -> dict[str, tuple[str, ...]]:
        """Which statuses came for each message, in order."""
        return log.statuses

    @router.get("/callbacks/stats")
    async def callback_stats() -> dict[str, Any]:
        """How many callbacks came; `repeated` are receipts that a message had got before."""
        return {
            "callbacks": log.count,
            "receipts": log.receipts,
            "repeated": log.repeated,
            "messages": len(log.statuses),
            "by_status": dict(log.by_status),
            "by_name": dict(log.by_name),
        }
