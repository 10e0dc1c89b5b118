"""Changes of an account: pure functions from one account to the next, or a RuleError that says why not.

They know nothing of versions: whoever stores the result counts.
"""

from typing import Any

from msgspec.structs import replace

from accounts.domain.account import Account, ApiKey, Callback, Door
from accounts.domain.errors import ConflictError, InvalidError, UnknownError
from accounts.domain.rules import sender_of_type
from carillon.events.message import CallbackForm

# An account travels whole in one record, so its lists have an end.
MAX_DOORS = 100
MAX_KEYS = 100
MAX_SECRETS = 2


def with_fields(account: Account, fields: dict[str, Any]) -> Account:
    """The account's own fields and its state. A closed account stays closed."""
    _not_closed(account)
    changed = replace(account, **fields)
    held = tuple(country for country in changed.held_countries if country not in changed.usual_countries)
    return with_valid_sender(replace(changed, held_countries=held))


def with_valid_sender(account: Account) -> Account:
    """The default sender must suit its type; it is kept as it goes into an address field."""
    try:
        value = sender_of_type(account.default_sender, account.default_sender_type)
    except ValueError as error:
        raise InvalidError("sender_invalid", str(error), "default_sender") from error
    return replace(account, default_sender=value)


def with_usual_country(account: Account, country: str) -> Account:
    """It may send there as much as it likes: what was held is let go."""
    _not_closed(account)
    usual = tuple(sorted({*account.usual_countries, country}))
    return replace(account, usual_countries=usual, held_countries=_without(account.held_countries, country))


def without_usual_country(account: Account, country: str) -> Account:
    """Messages there are counted again, and a hold is ended: it may come back."""
    _not_closed(account)
    return replace(
        account,
        usual_countries=_without(account.usual_countries, country),
        held_countries=_without(account.held_countries, country),
    )


def with_held_country(account: Account, country: str) -> Account:
    """Messages there wait for somebody to allow it; a usual country is not held."""
    if country in (account.country, *account.usual_countries) or not account.unusual_per_hour:
        return account
    return replace(account, held_countries=tuple(sorted({*account.held_countries, country})))


def _without(countries: tuple[str, ...], country: str) -> tuple[str, ...]:
    return tuple(known for known in countries if known != country)


def with_door(account: Account, door: Door) -> Account:
    """One more door."""
    _not_closed(account)
    if any(known.name == door.name for known in account.doors):
        raise door_taken()
    if len(account.doors) >= MAX_DOORS:
        raise ConflictError("too_many_doors", f"an account has at most {MAX_DOORS} doors")
    _protected(door)
    return replace(account, doors=(*account.doors, door))


def door_taken() -> ConflictError:
    """The name is somebody's, on this account or on another."""
    return ConflictError("door_name_taken", "this name is taken: a door's name is unique on the platform", "name")


def with_door_fields(account: Account, name: str, fields: dict[str, Any]) -> Account:
    """Other addresses, login, password or splitting for one door."""
    _not_closed(account)
    door = replace(find_door(account, name), **fields)
    if door.login is None and fields.get("password_hash") is not None:
        raise InvalidError("login_missing", "a password needs a login", "login")
    if door.login is not None and door.password_hash is None:
        raise InvalidError("password_missing", "a login needs a password", "password")
    if door.login is None:
        door = replace(door, password_hash=None)
    _protected(door)
    return replace(account, doors=tuple(door if known.name == name else known for known in account.doors))


def without_door(account: Account, name: str) -> Account:
    """The door is gone and its name is free."""
    door = find_door(account, name)
    return replace(account, doors=tuple(known for known in account.doors if known is not door))


def find_door(account: Account, name: str) -> Door:
    """The door of that (lower case) name."""
    for door in account.doors:
        if door.name == name:
            return door
    raise UnknownError("door_unknown", "the account has no door of this name")


def with_key(account: Account, key: ApiKey) -> Account:
    """One more API key."""
    _not_closed(account)
    if len(account.api_keys) >= MAX_KEYS:
        raise ConflictError("too_many_keys", f"an account has at most {MAX_KEYS} API keys: revoke one first")
    return replace(account, api_keys=(*account.api_keys, key))


def without_key(account: Account, key_id: str) -> Account:
    """The key is revoked."""
    left = tuple(key for key in account.api_keys if key.id != key_id)
    if len(left) == len(account.api_keys):
        raise UnknownError("api_key_unknown", "the account has no key of this id")
    return replace(account, api_keys=left)


def with_callback(account: Account, url: str, form: CallbackForm, fresh_secret: str) -> Account:
    """Receipts go there from now on. Secrets that exist stay, so that a new URL or form breaks no verification."""
    _not_closed(account)
    secrets = account.callback.secrets if account.callback else (fresh_secret,)
    return replace(account, callback=Callback(url=url, form=form, secrets=secrets))


def with_rotated_secret(account: Account, fresh_secret: str) -> Account:
    """A new secret comes first; the one before it stays valid; an older one is dropped."""
    _not_closed(account)
    callback = _callback_of(account)
    secrets = (fresh_secret, *callback.secrets)[:MAX_SECRETS]
    return replace(account, callback=replace(callback, secrets=secrets))


def with_newest_secret_only(account: Account) -> Account:
    """The rotation is over: what came before the newest secret is no longer valid."""
    callback = _callback_of(account)
    return replace(account, callback=replace(callback, secrets=callback.secrets[:1]))


def without_callback(account: Account) -> Account:
    """Receipts go nowhere; the secrets are forgotten."""
    _callback_of(account)
    return replace(account, callback=None)


def _callback_of(account: Account) -> Callback:
    if account.callback is None:
        raise UnknownError("callback_unknown", "the account has no callback URL")
    return account.callback


def _not_closed(account: Account) -> None:
    """What a closed account has can be taken away from it, and nothing else."""
    if account.state == "closed":
        raise ConflictError("account_closed", "the account is closed, and that is final")


def _protected(door: Door) -> None:
    if not door.is_protected:
        raise InvalidError(
            "door_unprotected",
            "a door needs addresses, or a login and a password, or both (0.0.0.0/0 and ::/0 let everybody in)",
            "addresses",
        )
