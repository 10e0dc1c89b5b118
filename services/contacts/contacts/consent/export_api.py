"""`/v1/contacts/export?number=`: everything known on a number, for the person who asks."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from carillon.http.principal import Principal
from carillon.runtime.number_hash import NumberHash
from contacts.consent.log import ConsentLog
from contacts.consent.views import ConsentView, KnownOf
from contacts.inbound.review import ReviewStore
from contacts.numbers import number_of
from contacts.people import People
from contacts.suppressions.bounces import BounceStore
from contacts.suppressions.store import SuppressionStore
from contacts.suppressions.views import BounceView, ReviewView, SuppressionView

_MOST_CONSENTS = 10_000


def routes(
    people: People,
    suppressions: SuppressionStore,
    consents: ConsentLog,
    bounces: BounceStore,
    reviews: ReviewStore,
    numbers: NumberHash,
    principal: Any,
) -> APIRouter:
    """One path; it goes before `/v1/contacts/{id}`."""
    router = APIRouter(prefix="/v1/contacts", tags=["consents"])

    @router.get("/export")
    async def export_number(
        asking: Annotated[Principal, Depends(principal)], number: Annotated[str, Query(max_length=40)]
    ) -> KnownOf:
        """Contact, groups, suppression, consents, flags and texts. Messages are under `/v1/messages?number=`."""
        account = asking.account_id
        wanted = number_of(number, asking.account.country, parameter="number")
        contact, groups = await people.known_of(account, wanted)
        suppression = await suppressions.find(account, wanted)
        entries = await consents.page(account, numbers.of(account, wanted), 0, _MOST_CONSENTS)
        flags = await bounces.find(account, wanted)
        return KnownOf(
            number=wanted,
            contact=contact,
            groups=groups,
            suppression=SuppressionView.of(suppression).model_dump()
            if suppression is not None and suppression.active
            else None,
            consents=[ConsentView.of(entry) for entry in entries],
            bounces=BounceView.of(flags).model_dump() if flags is not None else None,
            texts=[ReviewView.of(text).model_dump() for text in await reviews.of(account, wanted)],
        )

    return router
