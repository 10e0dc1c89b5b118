"""The consent log, and a person's rights: to see what is known, and to be erased."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import StreamingResponse

from carillon.http.pagination import CursorParameter, Limit, Page, add_next_link, decode_cursor, encode_cursor
from carillon.http.principal import Principal
from carillon.http.problem import not_found
from carillon.runtime.clock import Clock
from carillon.runtime.ids import new_id
from carillon.runtime.number_hash import NumberHash
from contacts.consent.entry import GIVEN_SOURCE, Entry
from contacts.consent.log import ConsentLog
from contacts.consent.views import ConsentView, Erased, NewConsent, VerdictView
from contacts.numbers import number_of
from contacts.people import People
from contacts.suppressions.domain import Change
from contacts.suppressions.handlers import ChangeSuppressions


def log_routes(consents: ConsentLog, numbers: NumberHash, principal: Any, clock: Clock) -> APIRouter:
    """`/v1/consents`: the account's whole log."""
    router = APIRouter(prefix="/v1/consents", tags=["consents"])
    who = Depends(principal)

    @router.get("")
    async def list_consents(
        request: Request,
        response: Response,
        asking: Annotated[Principal, who],
        number: Annotated[str | None, Query(max_length=40, description="only of this number")] = None,
        cursor: CursorParameter = None,
        limit: Limit = 50,
    ) -> Page[ConsentView]:
        """Entries in the order of the log."""
        of = None
        if number is not None:
            of = numbers.of(asking.account_id, number_of(number, asking.account.country, parameter="number"))
        return await page_of(consents, asking, of, cursor, limit, request, response)

    @router.post("", status_code=201)
    async def record_consent(asking: Annotated[Principal, who], given: NewConsent) -> ConsentView:
        """Enter a consent that was given elsewhere: on a form, in a shop. It does not lift a suppression."""
        account = asking.account_id
        number = number_of(given.number, asking.account.country, pointer="#/number")
        entry = Entry(
            id=new_id("cns"), account=account, number=number, number_hash=numbers.of(account, number), what="given",
            source=GIVEN_SOURCE, evidence=given.evidence, at=clock.now_ms(),
        )  # fmt: skip
        await consents.append([entry])
        found = await consents.find(account, entry.id)
        assert found is not None
        return ConsentView.of(found)

    @router.get("/verify")
    async def verify_log(asking: Annotated[Principal, who]) -> VerdictView:
        """Read the log from its first entry on: whether each follows from the one before. Keep `head` elsewhere."""
        verdict = await consents.verify(asking.account_id)
        return VerdictView(
            valid=verdict.broken_at is None,
            entries=verdict.entries,
            head=verdict.head,
            broken_at=verdict.broken_at,
            reason=verdict.reason,
        )

    @router.get("/export")
    async def export_log(asking: Annotated[Principal, who]) -> StreamingResponse:
        """The whole log as NDJSON, one entry a line with its hashes: `carillon consents verify FILE` reads it."""

        async def lines() -> AsyncIterator[bytes]:
            async for kept in consents.all(asking.account_id):
                yield msgspec.json.encode(kept) + b"\n"

        headers = {"Content-Disposition": 'attachment; filename="consents.ndjson"'}
        return StreamingResponse(lines(), media_type="application/x-ndjson", headers=headers)

    return router


def person_routes(
    consents: ConsentLog, change: ChangeSuppressions, people: People, numbers: NumberHash, principal: Any, clock: Clock
) -> APIRouter:
    """What a contact's page asks for; these paths go before `/v1/contacts/{id}`."""
    router = APIRouter(prefix="/v1/contacts", tags=["consents"])
    who = Depends(principal)

    async def number(asking: Principal, contact_id: str) -> str:
        found = await people.number_of(asking.account_id, contact_id)
        if found is None:
            raise not_found("There is no such contact.")
        return found

    @router.get("/{contact_id}/consents")
    async def list_consents_of(
        request: Request,
        response: Response,
        asking: Annotated[Principal, who],
        contact_id: str,
        cursor: CursorParameter = None,
        limit: Limit = 50,
    ) -> Page[ConsentView]:
        """What this contact has agreed to and taken back, in order."""
        of = numbers.of(asking.account_id, await number(asking, contact_id))
        return await page_of(consents, asking, of, cursor, limit, request, response)

    @router.post("/{contact_id}:erase")
    async def erase_contact(
        asking: Annotated[Principal, who],
        contact_id: str,
        evidence: Annotated[str, Query(max_length=1_000, description="who asked for it, for the consent log")] = "",
    ) -> Erased:
        """Erase a person: the contact, number and evidence in the consent log, flags and texts.

        What stays is a keyed hash that keeps the number from being written to, whoever imports it again.
        """
        erased = await number(asking, contact_id)
        account = asking.account_id
        erasure = Change(
            id=new_id("chg"), account=account, number=erased, reason="erased", source="erased",
            evidence=evidence or f"by {asking.key_id}", at=clock.now_ms(),
        )  # fmt: skip
        await change.apply([erasure])
        await people.forget(account, erased)  # imported again after an earlier erasure: there was nothing to change
        return Erased(erased=True, hash=numbers.of(account, erased).hex())

    return router


async def page_of(
    consents: ConsentLog,
    asking: Principal,
    of: bytes | None,
    cursor: str | None,
    limit: int,
    request: Request,
    response: Response,
) -> Page[ConsentView]:
    """A page of the log, of one number or of all."""
    after = decode_cursor(cursor, int) if cursor else 0
    found = await consents.page(asking.account_id, of, after, limit + 1)
    more = encode_cursor(found[limit - 1]["sequence"]) if len(found) > limit else None
    add_next_link(request, response, more)
    return Page(items=[ConsentView.of(each) for each in found[:limit]], next=more)
