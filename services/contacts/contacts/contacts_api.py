"""The HTTP of contacts. Routes parse, call and render."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response

from carillon.events.audience import Audience
from carillon.http.idempotency import KeyHeader
from carillon.http.pagination import CursorParameter, Limit, Page, add_next_link, decode_cursor, encode_cursor
from carillon.http.principal import Directory, Principal, require_scope
from carillon.http.problem import FieldError, Problem
from carillon.runtime.clock import Clock
from contacts.audience.pages import Pages
from contacts.book import Book, read
from contacts.domain.contact import Contact
from contacts.posting import Posting, version_of
from contacts.schemas import AudienceBody, AudienceQuestion, ContactPatch, NewContact, SampleQuestion
from contacts.store import Stores
from contacts.store.contacts import Filter
from contacts.suppressed import Reasons
from contacts.views import ContactView, CountView, RecipientView, SampleView

SCOPE = "contacts"
MAX_FOUND = 100

ContactId = Annotated[str, Path(alias="id", examples=["ctc_0123456789abcdefghjkmnpqrs"])]
IfMatch = Annotated[str | None, Header(description="ETag that a GET gave: 412 when it was changed since")]


class _Show:
    """Contacts with the names of their groups, and whether they may be written to."""

    def __init__(self, stores: Stores, reasons: Reasons) -> None:
        self._stores = stores
        self._reasons = reasons

    async def all(self, account: str, contacts: Sequence[Contact]) -> list[ContactView]:
        if not contacts:
            return []
        groups = await self._stores.groups.by_ids(account, {group for each in contacts for group in each.groups})
        reasons = await self._reasons(account, [contact.number for contact in contacts])
        return [ContactView.of(contact, groups, reasons.get(contact.number)) for contact in contacts]

    async def one(self, contact: Contact, response: Response | None = None) -> ContactView:
        if response is not None:
            response.headers["ETag"] = f'"{contact.version}"'
        return (await self.all(contact.account, [contact]))[0]


def routes(
    stores: Stores, book: Book, pages: Pages, reasons: Reasons, posting: Posting, accounts: Directory, clock: Clock
) -> APIRouter:
    """Everything under /v1/contacts that is about contacts themselves."""
    router = APIRouter(prefix="/v1/contacts", tags=["contacts"])
    show = _Show(stores, reasons)
    _many(router, stores, book, show, accounts, clock)
    _audiences(router, pages, accounts, clock)
    _one(router, book, show, posting, accounts, clock)
    return router


def _many(router: APIRouter, stores: Stores, book: Book, show: _Show, accounts: Directory, clock: Clock) -> None:
    user = Annotated[Principal, Depends(require_scope(accounts, SCOPE, clock))]

    @router.get("")
    async def list_contacts(
        request: Request,
        response: Response,
        principal: user,
        group: Annotated[str | None, Query(max_length=60, description="members of this group")] = None,
        attribute: Annotated[
            list[str] | None, Query(max_length=10, description="name:value; several: all of them")
        ] = None,
        limit: Limit = 50,
        cursor: CursorParameter = None,
    ) -> Page[ContactView]:
        """Contacts in the order of their numbers."""
        after = decode_cursor(cursor, str) if cursor else ""
        if group is not None:
            await book.get_group(principal.account_id, group)
        wanted = Filter([group] if group else None, _attributes(attribute or []))
        found = await stores.contacts.page(principal.account_id, wanted, after, limit + 1)
        more = encode_cursor(found[limit - 1].number) if len(found) > limit else None
        add_next_link(request, response, more)
        return Page(items=await show.all(principal.account_id, found[:limit]), next=more)

    @router.get("/search")
    async def search_contacts(
        principal: user,
        prefix: Annotated[str, Query(min_length=1, max_length=60, examples=["0612", "dup"])],
        limit: Annotated[int, Query(ge=1, le=MAX_FOUND)] = 20,
    ) -> list[ContactView]:
        """By the first digits of the number (0612 finds +33 6 12 in France), or the first letters of any words of the
        name, in any case and without regard to accents."""
        found = await book.search(principal.account, prefix, limit)
        return await show.all(principal.account_id, found)


def _audiences(router: APIRouter, pages: Pages, accounts: Directory, clock: Clock) -> None:
    user = Annotated[Principal, Depends(require_scope(accounts, SCOPE, clock))]

    async def known(principal: Principal, body: AudienceBody) -> Audience:
        numbers = [read(number, principal.account.country, "audience/numbers") for number in body.numbers]
        audience = body.as_audience(numbers)
        await pages.check(principal.account_id, audience)
        return audience

    @router.post("/count")
    async def count_audience(principal: user, given: AudienceQuestion) -> CountView:
        """How many people an audience is, how many of them must not be written to, and in which countries."""
        audience = await known(principal, given.audience)
        return CountView.of(await pages.count(principal.account_id, audience))

    @router.post("/sample")
    async def sample_audience(principal: user, given: SampleQuestion) -> SampleView:
        """The first people of an audience, for a preview."""
        audience = await known(principal, given.audience)
        recipients, last = await pages.page(principal.account_id, audience, given.after, given.size)
        return SampleView(recipients=[RecipientView.of(one) for one in recipients], last=last)


def _one(router: APIRouter, book: Book, show: _Show, posting: Posting, accounts: Directory, clock: Clock) -> None:
    user = Annotated[Principal, Depends(require_scope(accounts, SCOPE, clock))]

    @router.post("", status_code=201, response_model=ContactView)
    async def add_contact(
        request: Request, principal: user, given: NewContact, idempotency_key: KeyHeader = None
    ) -> Response:
        """A new contact; 409 when there is one with this number."""

        async def work(id_: str) -> ContactView:
            return await show.one(await book.add(principal.account, f"ctc_{id_}", given.model_dump()))

        return await posting.run(request, principal.account_id, idempotency_key, work, status=201)

    @router.get("/{id}")
    async def read_contact(response: Response, principal: user, id_: ContactId) -> ContactView:
        """One contact."""
        return await show.one(await book.get(principal.account_id, id_), response)

    @router.patch("/{id}")
    async def change_contact(
        response: Response, principal: user, id_: ContactId, given: ContactPatch, if_match: IfMatch = None
    ) -> ContactView:
        """Change what is given."""
        fields = given.model_dump(exclude_unset=True)
        contact = await book.change(principal.account, id_, fields, version_of(if_match))
        return await show.one(contact, response)

    @router.delete("/{id}", status_code=204)
    async def delete_contact(principal: user, id_: ContactId, if_match: IfMatch = None) -> None:
        """Delete it. Whether the number may be written to is remembered; to forget the person, erase it."""
        await book.remove(principal.account_id, id_, version_of(if_match))


def _attributes(given: Sequence[str]) -> dict[str, str]:
    pairs = [one.split(":", 1) for one in given]
    if any(len(pair) != 2 or not pair[0] for pair in pairs):
        error = FieldError(parameter="attribute", code="bad_attribute", detail="name:value")
        raise Problem(400, "bad_attribute", "An attribute is given as name:value.", errors=[error])
    return {pair[0]: pair[1] for pair in pairs}
