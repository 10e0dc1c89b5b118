"""The admin API, for the platform team and its tools: accounts, their doors, keys and callback."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from accounts.credentials import hash_password, new_api_key, new_callback_secret
from accounts.domain import changes
from accounts.domain.account import Account, Callback, Door
from accounts.domain.errors import InvalidError
from accounts.handlers import ChangeAccount, account_unknown
from accounts.schemas import AccountPatch, DoorPatch, NewAccount, NewApiKey, NewCallback, NewDoor
from accounts.store import AccountStore
from accounts.views import AdminAccountView, ApiKeyView, DoorView, MadeApiKey, MadeCallback
from carillon.http.pagination import CursorParameter, Limit, Page, add_next_link, decode_cursor, encode_cursor
from carillon.http.principal import require_platform
from carillon.runtime.clock import Clock
from carillon.runtime.ids import new_id

AccountId = Annotated[str, Path(alias="id", examples=["acc_0123456789abcdefghjkmnpqrs"])]
DoorName = Annotated[str, Path(alias="name", examples=["shop-1"])]
KeyId = Annotated[str, Path(examples=["key_0123456789abcdefghjkmnpqrs"])]


def routes(store: AccountStore, change: ChangeAccount, clock: Clock, token: str) -> APIRouter:
    """Everything under /admin/accounts, guarded by the platform's token; an empty one admits nobody."""
    guard = Depends(require_platform(token))
    router = APIRouter(prefix="/admin/accounts", tags=["admin"], dependencies=[guard])
    _accounts(router, store, change, clock)
    _doors(router, change, clock)
    _api_keys(router, store, change, clock)
    _callback(router, change)
    return router


def _accounts(router: APIRouter, store: AccountStore, change: ChangeAccount, clock: Clock) -> None:
    @router.post("", status_code=201)
    async def add_account(given: NewAccount, response: Response) -> AdminAccountView:
        """Make an account. It has no door, no key and no callback yet."""
        now = clock.now_ms()
        account = Account(id=new_id("acc"), created_at=now, changed_at=now, **given.model_dump())
        account = await change.add(changes.with_valid_sender(account))
        response.headers["Location"] = f"/admin/accounts/{account.id}"
        return AdminAccountView.of(account)

    @router.get("")
    async def list_accounts(
        request: Request,
        response: Response,
        name: Annotated[str | None, Query(max_length=100, description="how the name begins, in any case")] = None,
        cursor: CursorParameter = None,
        limit: Limit = 50,
    ) -> Page[AdminAccountView]:
        """Accounts, oldest first."""
        after = decode_cursor(cursor, str) if cursor else None
        found = await store.page(name=name, after=after, limit=limit + 1)
        more = encode_cursor(found[limit - 1].id) if len(found) > limit else None
        add_next_link(request, response, more)
        return Page(items=[AdminAccountView.of(account) for account in found[:limit]], next=more)

    @router.get("/{id}")
    async def read_account(account_id: AccountId) -> AdminAccountView:
        """One account, whole."""
        account = await store.find(account_id)
        if account is None:
            raise account_unknown()
        return AdminAccountView.of(account)

    @router.patch("/{id}")
    async def change_account(account_id: AccountId, given: AccountPatch) -> AdminAccountView:
        """Change what is given. `state`: active, suspended (sends nothing), closed (for good)."""
        fields = given.model_dump(exclude_unset=True)
        return AdminAccountView.of(await change.apply(account_id, partial(changes.with_fields, fields=fields)))


def _doors(router: APIRouter, change: ChangeAccount, clock: Clock) -> None:
    @router.post("/{id}/doors", status_code=201)
    async def add_door(account_id: AccountId, given: NewDoor) -> DoorView:
        """Open a door. Its name is unique on the platform, in any case."""
        door = Door(
            name=given.name,
            addresses=tuple(given.addresses),
            login=given.login,
            password_hash=await hash_password(given.password.get_secret_value()) if given.password else None,
            split_long_text=given.split_long_text,
            created_at=clock.now_ms(),
        )
        return _door_of(await change.apply(account_id, partial(changes.with_door, door=door)), door.name)

    @router.patch("/{id}/doors/{name}")
    async def change_door(account_id: AccountId, name: DoorName, given: DoorPatch) -> DoorView:
        """Change what is given. A login of null takes login and password away."""
        fields: dict[str, Any] = given.model_dump(exclude_unset=True, exclude={"password"})
        if "addresses" in fields:
            fields["addresses"] = tuple(fields["addresses"])
        if "password" in given.model_fields_set:
            fields["password_hash"] = await hash_password(given.password.get_secret_value())
        wanted = partial(changes.with_door_fields, name=name.lower(), fields=fields)
        return _door_of(await change.apply(account_id, wanted), name.lower())

    @router.delete("/{id}/doors/{name}", status_code=204)
    async def remove_door(account_id: AccountId, name: DoorName) -> None:
        """Close a door: its name is free for anybody."""
        await change.apply(account_id, partial(changes.without_door, name=name.lower()))


def _api_keys(router: APIRouter, store: AccountStore, change: ChangeAccount, clock: Clock) -> None:
    @router.post("/{id}/api-keys", status_code=201)
    async def add_api_key(account_id: AccountId, given: NewApiKey, response: Response) -> MadeApiKey:
        """Make a key. The answer is the only place where it is ever shown."""
        now = clock.now_ms()
        expires_at = None if given.expires_at is None else round(given.expires_at.timestamp() * 1000)
        if expires_at is not None and expires_at <= now:
            raise InvalidError("expiry_past", "this moment is past", "expires_at")
        kept, key = new_api_key(tuple(dict.fromkeys(given.scopes)), now, expires_at)
        await change.apply(account_id, partial(changes.with_key, key=kept))
        _not_to_be_kept(response)
        return MadeApiKey(**ApiKeyView.of(kept).model_dump(), key=key)

    @router.get("/{id}/api-keys")
    async def list_api_keys(account_id: AccountId) -> Page[ApiKeyView]:
        """The account's keys, oldest first."""
        account = await store.find(account_id)
        if account is None:
            raise account_unknown()
        return Page(items=[ApiKeyView.of(key) for key in account.api_keys])

    @router.delete("/{id}/api-keys/{key_id}", status_code=204)
    async def revoke_api_key(account_id: AccountId, key_id: KeyId) -> None:
        """Revoke a key: within a second it opens nothing any more."""
        await change.apply(account_id, partial(changes.without_key, key_id=key_id))


def _callback(router: APIRouter, change: ChangeAccount) -> None:
    @router.put("/{id}/callback")
    async def put_callback(account_id: AccountId, given: NewCallback, response: Response) -> MadeCallback:
        """Where receipts go, and in which form. The secret stays when there was a callback before."""
        wanted = partial(changes.with_callback, url=given.url, form=given.form, fresh_secret=new_callback_secret())
        _not_to_be_kept(response)
        return MadeCallback.of(_callback_of(await change.apply(account_id, wanted)))

    @router.delete("/{id}/callback", status_code=204)
    async def remove_callback(account_id: AccountId) -> None:
        """Receipts go nowhere from now on."""
        await change.apply(account_id, changes.without_callback)

    @router.post("/{id}/callback/secret")
    async def rotate_secret(account_id: AccountId, response: Response) -> MadeCallback:
        """A new secret. The one before it is valid too, until it is taken away or the next rotation."""
        wanted = partial(changes.with_rotated_secret, fresh_secret=new_callback_secret())
        _not_to_be_kept(response)
        return MadeCallback.of(_callback_of(await change.apply(account_id, wanted)))

    @router.delete("/{id}/callback/secret", status_code=204)
    async def end_rotation(account_id: AccountId) -> None:
        """Only the newest secret is valid from now on."""
        await change.apply(account_id, changes.with_newest_secret_only)


def _door_of(account: Account, name: str) -> DoorView:
    return DoorView.of(changes.find_door(account, name))


def _callback_of(account: Account) -> Callback:
    assert account.callback is not None
    return account.callback


def _not_to_be_kept(response: Response) -> None:
    """No cache on the way keeps what is secret."""
    response.headers["Cache-Control"] = "no-store"
