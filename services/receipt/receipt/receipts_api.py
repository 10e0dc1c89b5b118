"""The HTTP of the receipt stream: live as server-sent events, or as a file."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Query
from pydantic import AwareDatetime
from starlette.responses import StreamingResponse

from carillon.bus.stream import Offset
from carillon.http.principal import Directory, Principal, require_scope
from carillon.http.problem import FieldError, Problem, overloaded
from carillon.receipts.formats import MEDIA_TYPES, Format
from carillon.receipts.span import parse_offset
from carillon.runtime.clock import Clock
from receipt.exports import Exports
from receipt.sse import ReceiptStream
from receipt.stats import GROUPS, GroupBy, Stats, StatsView, TooManyGroupsError

_RECEIPTS: Final = "receipts"
_MAX_GROUP_BY: Final = 4
_MAX_RANGE: Final = timedelta(days=400)
NEXT_OFFSET: Final = "Carillon-Next-Offset"


def stream_routes(stream: ReceiptStream, exports: Exports, accounts: Directory, clock: Clock) -> APIRouter:
    """`/v1/receipts`."""
    router = APIRouter(prefix="/v1/receipts", tags=["receipts"])
    reader = Annotated[Principal, Depends(require_scope(accounts, _RECEIPTS, clock))]

    @router.get("/stream", response_class=StreamingResponse, responses=_content("text/event-stream"))
    async def stream_receipts(
        principal: reader,
        last_event_id: Annotated[str | None, Header(description="offset of the last event that was read")] = None,
        offset: Annotated[
            str, Query(description="where to begin without it: first, last, next, an offset, or an RFC 3339 time")
        ] = "next",
    ) -> StreamingResponse:
        """Status changes as they happen: server-sent events, each a CloudEvent with a batch of receipts.

        The id of an event is its offset: whoever comes again with `Last-Event-ID` goes on right behind it. An event
        `gap` says that retention has deleted what was to come next.
        """
        if stream.is_full:
            raise overloaded(30, "Too many readers are connected.")
        if last_event_id:
            begin = _offset_of(last_event_id, "Last-Event-ID", numbers_only=True)
            begin = begin + 1 if isinstance(begin, int) else begin
        else:
            begin = _offset_of(offset, "offset")
        return StreamingResponse(
            stream.events(principal.account_id, begin),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
        )

    @router.get("/export", response_class=StreamingResponse, responses=_content(*MEDIA_TYPES.values()))
    async def export_receipts(
        principal: reader,
        format_: Annotated[Format, Query(alias="format")] = "ndjson",
        from_: Annotated[
            str, Query(alias="from", description="first, an offset, or an RFC 3339 time: events written since then")
        ] = "first",
        to: Annotated[
            AwareDatetime | None, Query(description="events written before then; without it: up to the last there is")
        ] = None,
    ) -> StreamingResponse:
        """Status changes of the last seven days as a table, one row each; the columns and their order are stable.

        `Carillon-Next-Offset` says with which `from` the next export begins (not given with `to`). An answer that
        was cut off is gone on with from the offset of its last row, whose rows may be there in part.
        """
        begin = _offset_of(from_, "from")
        if begin in ("last", "next"):
            raise _bad("from", "bad_offset", "first, an offset or a time")
        if exports.is_full:
            raise overloaded(30, "Too many exports are under way.")
        try:
            export = await exports.open(principal.account_id, format_, begin, to)
        except ConnectionError:
            raise overloaded(5, "The receipt stream can't be read now.") from None
        headers = {
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
            "Content-Disposition": f'attachment; filename="receipts.{format_}"',
        }
        if export.next_offset is not None:
            headers[NEXT_OFFSET] = str(export.next_offset)
        return StreamingResponse(export.pieces, media_type=MEDIA_TYPES[format_], headers=headers)

    return router


def stats_routes(stats: Stats, accounts: Directory, clock: Clock) -> APIRouter:
    """`/v1/stats`."""
    router = APIRouter(tags=["receipts"])
    reader = Annotated[Principal, Depends(require_scope(accounts, _RECEIPTS, clock))]

    @router.get("/v1/stats")
    async def get_stats(
        principal: reader,
        group_by: Annotated[str, Query(max_length=100, description=f"up to four of {', '.join(GROUPS)}")] = "status",
        from_: Annotated[
            AwareDatetime | None, Query(alias="from", description="default: seven days before `to`")
        ] = None,
        to: Annotated[AwareDatetime | None, Query(description="default: now")] = None,
    ) -> StatsView:
        """Messages that were accepted within a time, as they stand now, in numbers.

        Times are widened to whole hours (UTC); the answer says which. At most 400 days and 10,000 groups.
        """
        end = to or datetime.fromtimestamp(clock.now_ms() / 1000, UTC)
        begin = from_ or end - timedelta(days=7)
        if begin >= end or end - begin > _MAX_RANGE:
            raise _bad("from", "bad_range", "before `to`, by 400 days at most")
        try:
            return await stats.answer(principal.account_id, _groups(group_by), begin, end)
        except TooManyGroupsError:
            raise _bad(
                "group_by", "too_many_groups", "more than 10,000 groups: ask for fewer, or for less time"
            ) from None

    return router


def _groups(text: str) -> list[GroupBy]:
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    known = [name for name in GROUPS if name in names]
    if len(known) != len(names) or len(names) > _MAX_GROUP_BY:
        raise _bad("group_by", "bad_group", f"one to four of {', '.join(GROUPS)}, with commas between")
    return sorted(known, key=names.index)


def _offset_of(text: str, parameter: str, *, numbers_only: bool = False) -> Offset:
    try:
        offset = parse_offset(text)
    except ValueError:
        offset = None
    if offset is None or (numbers_only and not isinstance(offset, int)):
        detail = "an offset" if numbers_only else "first, last, next, an offset or a time"
        raise _bad(parameter, "bad_offset", detail)
    return offset


def _bad(parameter: str, code: str, detail: str) -> Problem:
    error = FieldError(parameter=parameter, code=code, detail=detail)
    return Problem(422, "invalid_request", f"{parameter} is not what it may be.", errors=[error])


def _content(*media_types: str) -> dict[int | str, dict[str, object]]:
    return {200: {"content": {media_type: {"schema": {"type": "string"}} for media_type in media_types}}}
