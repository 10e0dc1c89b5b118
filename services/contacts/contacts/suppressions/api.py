"""`/v1/suppressions`: who must not be written to. Every request is for the account of its key and for no other."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from carillon.http.pagination import CursorParameter, Limit, Page, add_next_link, decode_cursor, encode_cursor
from carillon.http.principal import Principal
from carillon.http.problem import FieldError, Problem, not_found
from carillon.runtime.clock import Clock
from carillon.runtime.ids import new_id
from carillon.sms.numbers import NumberInvalid, recipient
from contacts.numbers import number_of
from contacts.suppressed import Suppressed
from contacts.suppressions.csv_rows import Row, rows_of
from contacts.suppressions.domain import Change, Reason
from contacts.suppressions.handlers import ChangeSuppressions
from contacts.suppressions.store import SuppressionStore
from contacts.suppressions.views import (
    Added,
    Checked,
    CheckedNumbers,
    Evidence,
    NewSuppressions,
    NumbersToCheck,
    RefusedRow,
    SuppressionView,
)

MAX_ERRORS = 1_000
_BATCH = 500
Number = Annotated[str, Path(max_length=40, examples=["33612345678"])]


def routes(
    store: SuppressionStore, change: ChangeSuppressions, suppressed: Suppressed, principal: Any, clock: Clock
) -> APIRouter:
    """`principal` is the dependency that gives who asks."""
    router = APIRouter(prefix="/v1/suppressions", tags=["suppressions"])
    who = Depends(principal)
    add = AddNumbers(change, clock)

    @router.get("")
    async def list_suppressions(
        request: Request,
        response: Response,
        asking: Annotated[Principal, who],
        reason: Annotated[Reason | None, Query(description="only those with this reason")] = None,
        cursor: CursorParameter = None,
        limit: Limit = 50,
    ) -> Page[SuppressionView]:
        """Those in force, the newest first. The number of an erased person is null."""
        after = decode_cursor(cursor, tuple[int, str]) if cursor else None
        found = await store.page(asking.account_id, reason, after, limit + 1)
        last = found[limit - 1] if len(found) > limit else None
        more = encode_cursor((last.changed_at, last.hash.hex())) if last is not None else None
        add_next_link(request, response, more)
        return Page(items=[SuppressionView.of(each) for each in found[:limit]], next=more)

    @router.post("")
    async def add_numbers(asking: Annotated[Principal, who], given: NewSuppressions) -> Added:
        """Suppress up to 1,000 numbers by hand. What cannot be read holds up nothing else."""
        rows = [_row(place, raw, asking.account.country) for place, raw in enumerate(given.numbers)]
        return await add.of(asking.account_id, _given(rows), "manual", given.evidence or f"by {asking.key_id}")

    @router.post("/import")
    async def import_numbers(
        request: Request,
        asking: Annotated[Principal, who],
        evidence: Annotated[Evidence, Query(description="where the list comes from, for the consent log")] = "",
    ) -> Added:
        """Suppress every number of a CSV: the body is the file. Sent again it changes nothing more."""
        rows = rows_of(request.stream(), asking.account.country)
        return await add.of(asking.account_id, rows, "imported", evidence or f"list imported by {asking.key_id}")

    @router.post("/check")
    async def check_numbers(asking: Annotated[Principal, who], given: NumbersToCheck) -> CheckedNumbers:
        """Whether each of up to 1,000 numbers may be written to."""
        numbers = [
            number_of(raw, asking.account.country, pointer=f"#/numbers/{place}")
            for place, raw in enumerate(given.numbers)
        ]
        reasons = await suppressed.reasons(asking.account_id, numbers)
        return CheckedNumbers(
            items=[
                Checked(number=number, suppressed=number in reasons, reason=reasons.get(number)) for number in numbers
            ]
        )

    @router.delete("/{number}", status_code=204)
    async def lift_suppression(
        asking: Annotated[Principal, who],
        number: Number,
        evidence: Annotated[Evidence, Query(description="how the person has agreed again, for the consent log")] = "",
    ) -> None:
        """Opt in: the number may be written to again. Evidence is required: STOP is the person's word, not yours."""
        wanted = number_of(number, asking.account.country, parameter="number")
        if not evidence:
            error = FieldError("evidence_missing", "say how the person has agreed again", parameter="evidence")
            raise Problem(422, "evidence_missing", "An opt-in needs its evidence.", errors=[error])
        there = await store.find(asking.account_id, wanted)
        if there is None or not there.active:
            raise not_found("This number is not suppressed.")
        now_ms = clock.now_ms()
        lift = Change(
            id=new_id("chg"), account=asking.account_id, number=wanted, reason=None, source="api",
            evidence=f"{evidence} (by {asking.key_id})", at=now_ms,
        )  # fmt: skip
        await change.apply([lift])

    return router


class AddNumbers:
    """Suppresses the numbers of rows, 500 at a time."""

    def __init__(self, change: ChangeSuppressions, clock: Clock) -> None:
        self._change = change
        self._clock = clock

    async def of(self, account: str, rows: AsyncIterator[Row], reason: Reason, evidence: str) -> Added:
        """What became of them; errors beyond the first 1,000 are counted and not listed."""
        done = Added(read=0, added=0, known=0, refused=0)
        batch: list[str] = []
        async for row in rows:
            done.read += 1
            if row.number is None:
                done.refused += 1
                if len(done.errors) < MAX_ERRORS:
                    done.errors.append(RefusedRow(at=row.line, code=row.code or ""))
                continue
            batch.append(row.number)
            if len(batch) == _BATCH:
                await self._add(account, batch, reason, evidence, done)
                batch = []
        await self._add(account, batch, reason, evidence, done)
        return done

    async def _add(self, account: str, numbers: list[str], reason: Reason, evidence: str, done: Added) -> None:
        now_ms = self._clock.now_ms()
        changes = [
            Change(
                id=new_id("chg"), account=account, number=number, reason=reason,
                source="import" if reason == "imported" else "manual", evidence=evidence, at=now_ms,
            )
            for number in dict.fromkeys(numbers)
        ]  # fmt: skip
        changed = len(await self._change.apply(changes)) if changes else 0
        done.added += changed
        done.known += len(numbers) - changed


def _row(place: int, raw: str, country: str) -> Row:
    try:
        return Row(place, recipient(raw, country))
    except NumberInvalid as error:
        return Row(place, code=error.code)


async def _given(rows: list[Row]) -> AsyncIterator[Row]:
    for row in rows:
        yield row
