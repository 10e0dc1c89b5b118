"""Recipients of an audience: a page for a campaign, how many there are, and the first of them for a preview."""

import asyncio
from collections import Counter
from typing import Final

from msgspec import Struct

from carillon.events.audience import Audience, Recipient
from carillon.sms.numbers import country_of
from contacts.audience.walk import Person, Walk
from contacts.domain.errors import InvalidError, UnknownError
from contacts.store import Stores
from contacts.suppressed import Reasons

_COUNT_AT_ONCE: Final = 2_000


class Counted(Struct, frozen=True, kw_only=True):
    """`recipients` are all; `suppressed` of them must not be written to, `by_country` holds those who may."""

    recipients: int
    suppressed: int
    by_country: dict[str, int]


class Pages:
    """Reads; changes nothing."""

    def __init__(self, stores: Stores, reasons: Reasons) -> None:
        self._stores = stores
        self._reasons = reasons

    async def page(self, account: str, audience: Audience, after: str, size: int) -> tuple[list[Recipient], bool]:
        """Up to `size` recipients after that number, in order, and whether they are the last."""
        people: list[Person] = []
        async for some in Walk(self._stores, account, audience).people(after, size + 1):
            people += some
            if len(people) > size:
                break
        wanted = people[:size]
        reasons = await self._reasons(account, [person.number for person in wanted]) if wanted else {}
        return [recipient_of(person, reasons.get(person.number)) for person in wanted], len(people) <= size

    async def count(self, account: str, audience: Audience) -> Counted:
        """Goes through all of it, as the campaign will."""
        recipients = suppressed = 0
        countries: Counter[str] = Counter()
        async for people in Walk(self._stores, account, audience).people("", _COUNT_AT_ONCE):
            numbers = [person.number for person in people]
            reasons = await self._reasons(account, numbers)
            recipients += len(numbers)
            suppressed += len(reasons)
            countries.update(country_of(number) for number in numbers if number not in reasons)
            await asyncio.sleep(0)
        return Counted(recipients=recipients, suppressed=suppressed, by_country=dict(countries.most_common()))

    async def check(self, account: str, audience: Audience) -> None:
        """UnknownError for a group or a file that is not the account's; InvalidError for a file that is not ready."""
        groups = [*audience.groups, *audience.minus_groups]
        known = await self._stores.groups.by_ids(account, groups)
        for group in groups:
            if group not in known:
                raise UnknownError("group_unknown", "there is no such group", "audience")
        if audience.file is None:
            return
        kept = await self._stores.imports.find(account, audience.file)
        if kept is None or kept.import_.kind != "audience":
            raise UnknownError("file_unknown", "there is no such file of an audience", "audience/file")
        if kept.import_.state != "finished":
            raise InvalidError("file_not_ready", "this file is not read to its end yet", "audience/file")


def recipient_of(person: Person, suppressed: str | None) -> Recipient:
    """What the file says of somebody counts for this campaign; the contact says the rest."""
    number, contact, row = person
    if contact is None and row is None:
        return Recipient(number=number, suppressed=suppressed)
    base = contact or row
    assert base is not None
    return Recipient(
        number=number,
        contact=contact.id if contact else None,
        name=(row.name if row else "") or base.name,
        language=(row.language if row else None) or base.language,
        attributes={**base.attributes, **row.attributes} if row else base.attributes,
        suppressed=suppressed,
    )
