"""The HTTP of groups."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from carillon.http.idempotency import KeyHeader
from carillon.http.pagination import CursorParameter, Limit, Page, add_next_link, decode_cursor, encode_cursor
from carillon.http.principal import Directory, Principal, require_scope
from carillon.runtime.clock import Clock
from contacts.book import Book
from contacts.contacts_api import SCOPE, IfMatch
from contacts.domain.folding import group_key
from contacts.posting import Posting, version_of
from contacts.schemas import GroupBody, Members
from contacts.store import Stores
from contacts.store.groups import Group
from contacts.views import GroupView, MembersChanged

GroupId = Annotated[str, Path(alias="id", examples=["grp_0123456789abcdefghjkmnpqrs"])]


def routes(stores: Stores, book: Book, posting: Posting, accounts: Directory, clock: Clock) -> APIRouter:
    """Everything under /v1/groups."""
    router = APIRouter(prefix="/v1/groups", tags=["groups"])
    _groups(router, stores, book, posting, accounts, clock)
    _members(router, book, posting, accounts, clock)
    return router


def _groups(router: APIRouter, stores: Stores, book: Book, posting: Posting, accounts: Directory, clock: Clock) -> None:
    user = Annotated[Principal, Depends(require_scope(accounts, SCOPE, clock))]

    async def shown(group: Group) -> GroupView:
        return GroupView.of(group, await stores.contacts.count(group.account, group.id))

    @router.post("", status_code=201, response_model=GroupView)
    async def add_group(
        request: Request, principal: user, given: GroupBody, idempotency_key: KeyHeader = None
    ) -> Response:
        """A new group; 409 when there is one of this name, in any case."""

        async def work(id_: str) -> GroupView:
            return await shown(await book.add_group(principal.account_id, f"grp_{id_}", given.name))

        return await posting.run(request, principal.account_id, idempotency_key, work, status=201)

    @router.get("")
    async def list_groups(
        request: Request,
        response: Response,
        principal: user,
        name: Annotated[str | None, Query(max_length=100, description="how the name begins, in any case")] = None,
        limit: Limit = 50,
        cursor: CursorParameter = None,
    ) -> Page[GroupView]:
        """Groups in the order of their names."""
        after = decode_cursor(cursor, str) if cursor else ""
        found = await stores.groups.page(principal.account_id, name, after, limit + 1)
        more = encode_cursor(group_key(found[limit - 1].name)) if len(found) > limit else None
        add_next_link(request, response, more)
        return Page(items=list(await asyncio.gather(*(shown(group) for group in found[:limit]))), next=more)

    @router.get("/{id}")
    async def read_group(response: Response, principal: user, id_: GroupId) -> GroupView:
        """One group, with the number of its contacts."""
        group = await book.get_group(principal.account_id, id_)
        response.headers["ETag"] = f'"{group.version}"'
        return await shown(group)

    @router.patch("/{id}")
    async def rename_group(
        response: Response, principal: user, id_: GroupId, given: GroupBody, if_match: IfMatch = None
    ) -> GroupView:
        """Give it another name."""
        group = await book.rename_group(principal.account_id, id_, given.name, version_of(if_match))
        response.headers["ETag"] = f'"{group.version}"'
        return await shown(group)

    @router.delete("/{id}", status_code=204)
    async def delete_group(principal: user, id_: GroupId) -> None:
        """Delete it; its contacts stay."""
        await book.delete_group(principal.account_id, id_)


def _members(router: APIRouter, book: Book, posting: Posting, accounts: Directory, clock: Clock) -> None:
    user = Annotated[Principal, Depends(require_scope(accounts, SCOPE, clock))]

    async def change(
        request: Request, principal: Principal, id_: str, given: Members, key: str | None, *, add: bool
    ) -> Response:
        async def work(_: str) -> MembersChanged:
            changed, unknown = await book.members(principal.account, id_, given.contacts, given.numbers, add=add)
            return MembersChanged(changed=changed, unknown=unknown)

        return await posting.run(request, principal.account_id, key, work)

    @router.post("/{id}/members", response_model=MembersChanged)
    async def add_members(
        request: Request, principal: user, id_: GroupId, given: Members, idempotency_key: KeyHeader = None
    ) -> Response:
        """Contacts join; who is in it already stays. What is no contact is named in the answer."""
        return await change(request, principal, id_, given, idempotency_key, add=True)

    @router.post("/{id}/members:remove", response_model=MembersChanged)
    async def remove_members(
        request: Request, principal: user, id_: GroupId, given: Members, idempotency_key: KeyHeader = None
    ) -> Response:
        """Contacts leave."""
        return await change(request, principal, id_, given, idempotency_key, add=False)
